"""The wallet's rules as pure functions: conservation, waterfall over sharers, bills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.commands import SetQuota
from contracts.public import Item
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
from contracts.vocabulary import Book, InstitutionKind, ItemCategory, Purpose
from kit.answers import Answer
from kit.refusal import Invalid, NotFound, Refusal, WrongState
from tests.support.bills import bill, bill_of, drug
from tests.support.wallet_rules import ME, NOW, Everywhere, books_with, payment, quota, refusal_of
from wallet.domain import bill as bills
from wallet.domain.books import Books, Entry, Quota
from wallet.domain.commands import RecordFreeze
from wallet.domain.pay import pay
from wallet.domain.period import month_after, period_of
from wallet.domain.record_freeze import record_freeze
from wallet.domain.set_quota import set_quota
from wallet.domain.waterfall import allocate, in_order


@pytest.mark.rule("R12")
@given(available=st.lists(st.integers(0, 10_000), max_size=6), amount=st.integers(1, 30_000))
def test_sharers_give_in_order_until_the_amount_is_reached(
    available: Sequence[int], amount: int
) -> None:
    quotas = [quota(has, age_days=100 - n) for n, has in enumerate(available)]
    given_by = allocate(in_order(reversed(quotas)), amount)
    assert sum(part.amount for part in given_by) == min(amount, sum(available))
    has = {one.quota_id: one.available for one in quotas}
    assert all(0 < part.amount <= has[part.quota_id] for part in given_by)
    # Whoever comes before the last giver has given everything.
    givers = [one.quota_id for one in quotas if one.available > 0][: len(given_by)]
    assert [part.quota_id for part in given_by] == givers
    assert all(part.amount == has[part.quota_id] for part in given_by[:-1])


@given(
    available=st.lists(st.integers(0, 5_000), min_size=1, max_size=4),
    amounts=st.lists(st.integers(1, 4_000), min_size=1, max_size=12),
)
def test_a_batch_of_payments_conserves_every_fen(
    available: Sequence[int], amounts: Sequence[int]
) -> None:
    books = books_with(*(quota(has, age_days=n + 1) for n, has in enumerate(available)))
    before = {one.quota_id: one for one in books.quotas_of(ME)}
    decisions = [pay(books, payment(amount), Everywhere()) for amount in amounts]
    paid = sum(made.payment.amount for made in decisions if made.payment is not None)
    for one in books.quotas_of(ME):
        assert one.granted == before[one.quota_id].granted
        assert one.available + one.spent == before[one.quota_id].available
    assert sum(one.spent for one in books.quotas_of(ME)) == paid
    for made in decisions:
        if made.payment is None:
            assert refusal_of(made) is QuotaInsufficient
            assert not made.entries
        else:
            assert sum(entry.amount for entry in made.entries) == made.payment.amount
            assert sum(order.amount for order in made.orders) == made.payment.amount


def test_a_quota_that_would_be_overdrawn_cannot_exist() -> None:
    poor = quota(10)
    entry = Entry(
        quota_id=poor.quota_id,
        source=Book.AVAILABLE,
        target=Book.SPENT,
        amount=11,
        payment_id=uuid4(),
    )
    with pytest.raises(AssertionError, match="overdrawn"):
        poor.posted(entry)


@pytest.mark.rule("R20")
@pytest.mark.parametrize(
    "changes",
    [
        {"fulamt_ownpay_fen": 29_621},
        {"inscp_scp_fen": 497_371},
        {"psn_part_fen": 268_600},
        {"fund_pay_sumamt_fen": 310_653},
        {"hosp_part_fen": 1},
        {"own_acct_pay_fen": 268_600},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_bill_that_is_off_by_one_fen_does_not_add_up(changes: dict[str, int]) -> None:
    assert bills.contradiction(bill()) is None
    assert isinstance(bills.contradiction(bill(**changes)), BillDoesNotAddUp)


@pytest.mark.rule("R20")
def test_the_aid_is_inside_the_account_payment() -> None:
    books = books_with(quota(100_000))
    decision = pay(
        books,
        payment(100_000, bill=bill(items=[drug(579_253)], own_acct_pay_fen=50_000)),
        Everywhere(),
    )
    assert isinstance(decision.answer, Answer)
    assert '"acct_pay_fen":150000,"acct_mulaid_pay_fen":100000,"psn_cash_pay_fen":118599' in (
        decision.answer.body
    )


@pytest.mark.rule("R11")
def test_only_the_personal_burden_can_be_paid() -> None:
    books = books_with(quota(1_000_000))
    asked = bill(items=[drug(579_253)], own_acct_pay_fen=100_000)
    assert bills.payable(asked) == 168_599
    decision = pay(books, payment(168_600, bill=asked), Everywhere())
    assert refusal_of(decision) is ExceedsPersonalBurden
    assert pay(books, payment(168_599, bill=asked), Everywhere()).payment is not None


@pytest.mark.rule("R11")
def test_what_is_not_eligible_is_not_paid() -> None:
    asked = bill_of(1_000, items=(drug(600), drug(400, eligible=False)))
    assert bills.payable(asked) == 600


@pytest.mark.rule("R10")
@pytest.mark.parametrize(
    ("kind", "purpose", "items"),
    [
        (InstitutionKind.PHARMACY, Purpose.OUTPATIENT, (drug(100),)),
        (InstitutionKind.PHARMACY, Purpose.INPATIENT, (drug(100),)),
        (InstitutionKind.HOSPITAL, Purpose.PHARMACY, (drug(100),)),
        (
            InstitutionKind.PHARMACY,
            Purpose.PHARMACY,
            (Item(category=ItemCategory.SERVICE, amount_fen=100, eligible=True),),
        ),
    ],
)
def test_other_uses_are_refused(
    kind: InstitutionKind, purpose: Purpose, items: tuple[Item, ...]
) -> None:
    books = books_with(quota(100))
    command = payment(100, institution_kind=kind, purpose=purpose, bill=bill_of(100, items=items))
    assert refusal_of(pay(books, command, Everywhere())) is PurposeNotAllowed


@pytest.mark.rule("R10")
def test_a_pharmacy_names_its_items() -> None:
    asked = bill_of(100).model_copy(update={"items": None})
    decision = pay(books_with(quota(100)), payment(100, bill=asked), Everywhere())
    assert refusal_of(decision) is Invalid


@pytest.mark.rule("R18")
def test_three_places_are_recorded_and_never_mixed() -> None:
    books = books_with(quota(60, age_days=9), quota(60, sharer_admdvs="110000"))
    decision = pay(books, payment(100, mdtrtarea_admvs="650100"), Everywhere())
    assert decision.payment is not None
    assert decision.payment.mdtrtarea_admvs == "650100"
    assert decision.payment.insuplc_admdvs == "659002"
    assert [part.sharer_admdvs for part in decision.payment.allocations] == ["440300", "110000"]
    ordered = [event.topic for event in decision.events if event.topic.startswith("to.")]
    assert ordered == ["to.440000", "to.110000"]


@pytest.mark.rule("R27")
@pytest.mark.parametrize(
    ("books", "changes", "closed", "refusal"),
    [
        (books_with(quota(100)), {"presence_expires_at": NOW}, (), PresenceExpired),
        (books_with(quota(100), insured=False), {}, (), NotInsured),
        (books_with(quota(100)), {"person_id": UUID(int=2)}, (), WalletNotOpen),
        (books_with(quota(100), opened=False), {}, (), WalletNotOpen),
        (books_with(quota(100)), {"wallet_enabled": False}, (), InstitutionNotEnabled),
        (books_with(quota(99)), {}, (), QuotaInsufficient),
        (books_with(), {"partial": True}, (), QuotaInsufficient),
    ],
)
def test_who_may_not_pay_is_told_why(
    books: Books, changes: dict[str, object], closed: tuple[str, ...], refusal: type[Refusal]
) -> None:
    assert refusal_of(pay(books, payment(100, **changes), Everywhere(*closed))) is refusal
    assert not books.changed()


@pytest.mark.rule("R29")
@pytest.mark.parametrize("closed", ["659002", "650100"])
def test_nothing_is_paid_where_the_area_is_not_open(closed: str) -> None:
    command = payment(100, mdtrtarea_admvs="650100")
    decision = pay(books_with(quota(100)), command, Everywhere(closed))
    assert refusal_of(decision) is AreaNotOpen


@pytest.mark.rule("R29")
def test_a_sharer_whose_area_is_not_open_gives_nothing() -> None:
    decision = pay(books_with(quota(100)), payment(100), Everywhere("440300"))
    assert refusal_of(decision) is QuotaInsufficient


def test_a_partial_payment_takes_what_there_is() -> None:
    decision = pay(books_with(quota(40)), payment(100, partial=True), Everywhere())
    assert decision.payment is not None
    assert (decision.payment.requested, decision.payment.amount) == (100, 40)


def wanted(one: Quota, available: int) -> SetQuota:
    return SetQuota(
        relation_id=one.relation_id,
        sharer_id=one.sharer_id,
        beneficiary_id=ME,
        available_fen=available,
    )


@pytest.mark.rule("R7")
@given(has=st.integers(0, 1_000), wants=st.integers(0, 1_000), confirmed=st.booleans())
def test_setting_a_quota_ends_where_the_sharer_wanted_it(
    has: int, wants: int, confirmed: bool
) -> None:
    one = quota(has)
    books = books_with(one)
    decision = set_quota(books, wanted(one, wants))
    frozen = [order for order in decision.orders if order.kind == "freeze"]
    if wants <= has:
        assert not frozen
        assert books.quotas[one.quota_id].available == wants
        assert books.quotas[one.quota_id].returned == has - wants
        return
    assert [order.amount for order in frozen] == [wants - has]
    assert books.quotas[one.quota_id].available == has
    assert refusal_of(set_quota(books, wanted(one, 0))) is WrongState
    answer = RecordFreeze(
        province="440000",
        freeze_id=frozen[0].order_id,
        confirmed=confirmed,
        reason=None if confirmed else "poor",
    )
    record_freeze(books, answer, frozen[0])
    after = books.quotas[one.quota_id]
    assert after.available == (wants if confirmed else has)
    assert after.refusal == (None if confirmed else "poor")
    assert after.state == ("active" if confirmed or has else "refused")


@pytest.mark.rule("R9")
def test_a_raise_asks_for_the_difference_only() -> None:
    spent = replace(quota(60), granted=100, spent=40)
    decision = set_quota(books_with(spent), wanted(spent, 90))
    assert [(order.kind, order.amount) for order in decision.orders] == [("freeze", 30)]


def test_another_sharers_quota_is_not_found() -> None:
    one = quota(10)
    command = wanted(one, 20).model_copy(update={"sharer_id": uuid4()})
    assert refusal_of(set_quota(books_with(one), command)) is NotFound


@pytest.mark.parametrize(
    ("month", "last_cut", "period"),
    [
        ("2026-11", None, "2026-11"),
        ("2026-11", "2026-09", "2026-11"),
        ("2026-11", "2026-11", "2026-12"),
        ("2026-12", "2026-12", "2027-01"),
    ],
)
def test_a_fact_never_falls_into_a_month_that_was_cut(
    month: str, last_cut: str | None, period: str
) -> None:
    assert period_of(month, last_cut) == period
    assert month_after("2026-12") == "2027-01"
