"""A quote is what the payment would be: the same amounts, the same refusals, and nothing moves."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.commands import Quote
from contracts.refusals import (
    AreaNotOpen,
    BillDoesNotAddUp,
    ExceedsPersonalBurden,
    InstitutionNotEnabled,
    NotInsured,
    PresenceExpired,
    PurposeNotAllowed,
    QuotaInsufficient,
    WalletNotOpen,
)
from contracts.vocabulary import InstitutionKind, Purpose
from kit.answers import Answer
from kit.refusal import Invalid, NotFound, Refusal
from tests.support.bills import bill, bill_of, drug
from tests.support.wallet_rules import NOW, Everywhere, books_with, payment, quota
from wallet.domain.books import Books
from wallet.domain.pay import pay
from wallet.domain.quote import quote


def quoted(books: Books, amount: int | None, **changes: object) -> Answer | Refusal:
    told = payment(amount or 1, **changes).model_dump(
        exclude={"type", "amount_fen", "partial", "admission_id", "quote_fault"}
    )
    told["bill"] = changes.get("bill", told["bill"])
    areas = Everywhere()
    wanted = Quote.model_validate(told | {"amount_fen": amount, "instance": "/v1/quotes"})
    return quote(books, wanted, areas)


amounts = st.integers(min_value=1, max_value=300)


@given(available=st.lists(st.integers(0, 100), max_size=3), amount=amounts, burden=amounts)
def test_a_quote_is_what_the_payment_becomes(
    available: list[int], amount: int, burden: int
) -> None:
    quotas = [quota(each, age_days=n + 1) for n, each in enumerate(available)]
    owed = bill_of(burden, own_acct_pay=burden // 3)
    promised = quoted(books_with(*quotas), amount, bill=owed)
    became = pay(books_with(*quotas), payment(amount, bill=owed), Everywhere()).answer
    if isinstance(became, Refusal):
        assert type(promised) is type(became)
        assert str(promised) == str(became)
        return
    assert isinstance(promised, Answer)
    told, paid = orjson.loads(promised.body), orjson.loads(became.body)
    assert told["allocations"] == paid["allocations"]
    assert told["mutual_aid_fen"] == paid["amount_fen"]
    assert told["cash_fen"] == paid["receipt"]["psn_cash_pay_fen"]
    assert told["personal_burden_fen"] == burden
    assert told["own_account_fen"] == burden // 3


@pytest.mark.parametrize(
    ("available", "owed", "aid", "cash"),
    [
        ([], bill_of(100), 0, 100),
        ([30], bill_of(100), 30, 70),
        ([30, 40], bill_of(100), 70, 30),
        ([30, 900], bill_of(100), 100, 0),
        ([900], bill_of(100, own_acct_pay=60), 40, 0),
        ([900], bill_of(100, items=(drug(70), drug(30, eligible=False))), 70, 30),
    ],
)
@pytest.mark.rule("R11")
def test_without_an_amount_it_is_as_much_as_may_be(
    available: list[int], owed: object, aid: int, cash: int
) -> None:
    books = books_with(*(quota(each) for each in available))
    told = quoted(books, None, bill=owed)
    assert isinstance(told, Answer)
    body = orjson.loads(told.body)
    assert (body["mutual_aid_fen"], body["cash_fen"]) == (aid, cash)
    assert sum(each["amount_fen"] for each in body["allocations"]) == aid
    assert books.changed() == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"presence_expires_at": NOW}, PresenceExpired),
        ({"wallet_enabled": False}, InstitutionNotEnabled),
        ({"institution_kind": InstitutionKind.HOSPITAL}, PurposeNotAllowed),
        ({"purpose": Purpose.INPATIENT}, PurposeNotAllowed),
        ({"bill": bill(medfee_sumamt_fen=1)}, Invalid),
        ({"bill": bill_of(100).model_copy(update={"inscp_scp_fen": 99})}, BillDoesNotAddUp),
    ],
)
@pytest.mark.parametrize("amount", [None, 50])
def test_what_refuses_a_payment_refuses_its_quote(
    changes: dict[str, object], why: type[Refusal], amount: int | None
) -> None:
    assert isinstance(quoted(books_with(quota(900)), amount, **changes), why)


def test_who_may_not_pay_gets_no_quote() -> None:
    assert isinstance(quoted(books_with(insured=False), None), NotInsured)
    assert isinstance(quoted(books_with(opened=False), None), WalletNotOpen)
    assert isinstance(quoted(books_with(quota(9)), 10), QuotaInsufficient)
    owed = bill_of(9)
    assert isinstance(quoted(books_with(quota(90)), 10, bill=owed), ExceedsPersonalBurden)


def test_a_payment_may_name_only_its_own_quote() -> None:
    books = books_with(quota(900))
    areas = Everywhere("659002")
    unknown = payment(100, quote_fault="unknown")
    assert isinstance(pay(books, unknown, areas).answer, NotFound)
    different = payment(100, quote_fault="different")
    assert isinstance(pay(books, different, areas).answer, Invalid)
    gone = payment(100, quote_fault="unknown", presence_expires_at=NOW - timedelta(seconds=1))
    assert isinstance(pay(books, gone, areas).answer, PresenceExpired), "presence, then quote"
    assert isinstance(pay(books, payment(100), areas).answer, AreaNotOpen), "then eligibility"
