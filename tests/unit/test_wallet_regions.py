"""What regions say of a payment: where one is registered, whose money is first (R12, R26)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from contracts.refusals import RegistrationRequired
from policy.policy import Policy
from tests.support.bills import bill_of, drug
from tests.support.places import LOCAL_POLICY
from tests.support.wallet_rules import ME, Everywhere, books_with, payment, quota, refusal_of
from wallet.domain import bill as bills
from wallet.domain.books import Registration
from wallet.domain.pay import pay

LOCAL = Policy.load(LOCAL_POLICY)

ALAR_AND_URUMQI = [
    # registered at   from         to           paid at   allowed
    (None, "2026-01-01", "2026-12-31", "659002", False),
    ("659002", "2026-01-01", "2026-12-31", "659002", True),
    ("659002", "2026-11-20", "2026-11-20", "659002", True),
    ("659002", "2026-11-21", "2026-12-31", "659002", False),
    ("659002", "2026-01-01", "2026-11-19", "659002", False),
    ("650100", "2026-01-01", "2026-12-31", "659002", False),
    ("660000", "2026-01-01", "2026-12-31", "659002", True),
    ("650100", "2026-01-01", "2026-12-31", "650102", True),
    ("659002", "2026-01-01", "2026-12-31", "650102", False),
]


SHARED_FIRST = [
    # burden  own account  not eligible  own first  shared first
    (100, 0, 0, 100, 100),
    (100, 30, 0, 70, 70),
    (100, 30, 20, 50, 70),
    (100, 20, 30, 50, 70),
    (100, 60, 60, 0, 40),
    (100, 100, 0, 0, 0),
]


@pytest.mark.rule("R12")
@pytest.mark.parametrize("row", SHARED_FIRST, ids=str)
def test_shared_first_the_own_account_pays_what_relatives_may_not(
    row: tuple[int, int, int, int, int],
) -> None:
    burden, own, ineligible, own_first, shared_first = row
    items = [drug(burden - ineligible)] + ([drug(ineligible, eligible=False)] if ineligible else [])
    told = bill_of(burden, own_acct_pay=own, items=tuple(items))
    assert bills.payable(told) == own_first
    assert bills.payable(told, shared_first=True) == shared_first
    books = books_with(quota(1_000))
    books.shared_first = lambda code: code == "659002"
    decision = pay(books, payment(max(shared_first, 1), bill=told), Everywhere())
    assert (decision.payment is not None) is (shared_first > 0)


@pytest.mark.rule("R26")
@pytest.mark.parametrize("row", ALAR_AND_URUMQI, ids=str)
def test_who_is_insured_at_alar_pays_where_registered(
    row: tuple[str | None, str, str, str, bool],
) -> None:
    area, valid_from, valid_to, place, allowed = row
    books = books_with(quota(100))
    if area is not None:
        registration = Registration(
            mdtrtarea_admvs=area,
            valid_from=date.fromisoformat(valid_from),
            valid_to=date.fromisoformat(valid_to),
        )
        books.wallets[ME] = replace(books.wallets[ME], registrations=(registration,))
    decision = pay(books, payment(100, mdtrtarea_admvs=place), LOCAL)
    assert (decision.payment is not None) is allowed
    assert allowed or refusal_of(decision) is RegistrationRequired


@pytest.mark.rule("R26")
def test_elsewhere_nobody_asks_for_a_registration() -> None:
    books = books_with(quota(100))
    books.wallets[ME] = replace(books.wallets[ME], pool_admdvs="440300")
    assert pay(books, payment(100), LOCAL).payment is not None
