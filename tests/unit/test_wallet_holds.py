"""The rules of holds as pure functions: who is charged, who gets back, and that no fen is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.commands import Capture, Extend, Hold, Release
from contracts.refusals import HoldExpired, PaymentNotHeld, RelationNotActive
from contracts.vocabulary import InstitutionKind, PaymentState, Purpose, QuotaState
from kit.refusal import Invalid
from policy.settings import Purpose as PurposeRules
from tests.support.bills import bill_of
from tests.support.wallet_rules import ME, NOW, Everywhere, books_with, quota, refusal_of
from wallet.domain.books import Books, Moment
from wallet.domain.capture import capture
from wallet.domain.commands import ExpireHold
from wallet.domain.decisions import Decision
from wallet.domain.extend import extend
from wallet.domain.hold import hold
from wallet.domain.payment import Payment
from wallet.domain.release import expire_hold, release

HOSPITAL = "H65900200001"
DAY = 86_400


class Terms(Everywhere):
    def purpose(self, name: str, code: str, day: date, /) -> PurposeRules:
        return PurposeRules(
            institution_kind="hospital",
            item_categories=frozenset(),
            items_required=False,
            hold_seconds_default=DAY,
            hold_seconds_max=90 * DAY,
        )


def asked(amount: int, **changes: Any) -> Hold:
    told: dict[str, Any] = {
        "person_id": ME,
        "institution": HOSPITAL,
        "institution_kind": InstitutionKind.HOSPITAL,
        "mdtrtarea_admvs": "659002",
        "wallet_enabled": True,
        "presence_expires_at": NOW + timedelta(days=365),
        "purpose": Purpose.INPATIENT,
        "bill": bill_of(amount),
        "amount_fen": amount,
        "partial": False,
    }
    return Hold.model_validate(told | changes)


def placed(books: Books, amount: int, **changes: Any) -> Payment:
    """A hold that stands in the books as if it had been read from disk."""
    decision = hold(books, asked(amount, **changes), Terms())
    assert decision.payment is not None
    books.payments[decision.payment.payment_id] = decision.payment
    return decision.payment


def at(books: Books, instant: datetime) -> None:
    books.moment = Moment(now=instant, day=books.moment.day, period=books.moment.period)


def capture_of(payment_id: UUID, amount: int) -> Capture:
    return Capture(payment_id=payment_id, institution=HOSPITAL, amount_fen=amount)


def extend_of(payment_id: UUID, seconds: int) -> Extend:
    return Extend(payment_id=payment_id, institution=HOSPITAL, hold_seconds=seconds)


def release_of(payment_id: UUID) -> Release:
    return Release(payment_id=payment_id, institution=HOSPITAL)


def moved(decision: Decision) -> list[tuple[str, str, int]]:
    return [(entry.source, entry.target, entry.amount) for entry in decision.entries]


@pytest.mark.rule("R12")
@given(
    available=st.lists(st.integers(1, 5_000), min_size=1, max_size=5),
    parts=st.tuples(st.integers(1, 25_000), st.integers(0, 25_000)),
)
def test_whoever_comes_first_is_charged_first(
    available: Sequence[int], parts: tuple[int, int]
) -> None:
    books = books_with(*(quota(has, age_days=50 - n) for n, has in enumerate(available)))
    wanted = min(parts[0], sum(available))
    payment = placed(books, wanted)
    charged = max(1, min(parts[1], wanted))
    decision = capture(books, capture_of(payment.payment_id, charged))
    taken = books.payments[payment.payment_id].given
    assert sum(part.amount for part in taken) == charged
    # Everybody before the last who is charged is charged all that was held.
    held = {part.quota_id: part.amount for part in payment.allocations}
    assert all(part.amount == held[part.quota_id] for part in taken[:-1])
    assert [part.quota_id for part in taken] == list(held)[: len(taken)]
    assert sum(entry.amount for entry in decision.entries) == wanted
    assert [order.amount for order in decision.orders] == [part.amount for part in taken]


@given(
    amounts=st.lists(st.integers(1, 900), min_size=1, max_size=5),
    low=st.integers(0, 4_500),
    high=st.integers(0, 4_500),
)
def test_what_lies_below_between_and_above_two_marks_is_all_there_is(
    amounts: Sequence[int], low: int, high: int
) -> None:
    books = books_with(*(quota(has, age_days=50 - n) for n, has in enumerate(amounts)))
    payment = placed(books, sum(amounts))
    low, high = sorted((min(low, payment.amount), min(high, payment.amount)))
    sums: dict[UUID, int] = dict.fromkeys((part.quota_id for part in payment.allocations), 0)
    for start, end in ((0, low), (low, high), (high, payment.amount)):
        parts = payment.between(start, end)
        assert sum(part.amount for part in parts) == end - start
        for part in parts:
            sums[part.quota_id] += part.amount
    assert sums == {part.quota_id: part.amount for part in payment.allocations}


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["hold", "capture", "extend", "release", "expire", "wait", "end"]),
            st.integers(0, 3),
            st.integers(1, 4_000),
        ),
        max_size=25,
    )
)
def test_no_order_of_things_loses_or_makes_a_fen(steps: Sequence[tuple[str, int, int]]) -> None:
    books = books_with(quota(3_000, age_days=3), quota(2_000, age_days=2), quota(1_000))
    holds: list[Payment] = []
    for what, which, amount in steps:
        found = holds[which % len(holds)] if holds else None
        if what == "hold":
            decision = hold(books, asked(amount, hold_seconds=amount, partial=True), Terms())
            if decision.payment is not None:
                books.payments[decision.payment.payment_id] = decision.payment
                holds.append(decision.payment)
        elif what == "wait":
            at(books, books.moment.now + timedelta(seconds=amount))
        elif what == "end":
            one = books.quotas_of(ME)[which % 3]
            if one.available == 0:
                books.put(replace(one, state=QuotaState.ENDED))
        elif found is not None:
            now = books.payments[found.payment_id]
            become(books, now, what, amount)
        check(books)


def become(books: Books, payment: Payment, what: str, amount: int) -> None:
    """What is asked of a hold happens while it is held, and nothing does afterwards."""
    before, now = books.payments[payment.payment_id], books.moment.now
    assert payment.expires_at is not None
    over = now >= payment.expires_at
    if what == "expire":
        decision = expire_hold(
            books, ExpireHold(payment_id=payment.payment_id, expires_at=payment.expires_at)
        )
        assert bool(decision.entries) == (over and before.state is PaymentState.HELD)
        return
    decision = {
        "capture": lambda: capture(books, capture_of(payment.payment_id, amount)),
        "extend": lambda: extend(books, extend_of(payment.payment_id, amount), Terms()),
        "release": lambda: release(books, release_of(payment.payment_id)),
    }[what]()
    if before.state is PaymentState.EXPIRED or (before.state is PaymentState.HELD and over):
        assert refusal_of(decision) is HoldExpired
    elif before.state is not PaymentState.HELD:
        assert refusal_of(decision) is PaymentNotHeld
    if decision.entries:
        assert sum(entry.amount for entry in decision.entries) == payment.amount


def check(books: Books) -> None:
    held = [each for each in books.payments.values() if each.state is PaymentState.HELD]
    assert sum(one.held for one in books.quotas_of(ME)) == sum(each.amount for each in held)
    charged = sum(each.captured for each in books.payments.values())
    assert sum(one.spent for one in books.quotas_of(ME)) == charged
    assert sum(one.granted for one in books.quotas_of(ME)) == 6_000
    assert all(one.available == 0 for one in books.quotas_of(ME) if one.state == "ended")


@pytest.mark.rule("R32")
@pytest.mark.parametrize(
    ("charged", "entries", "unfrozen"),
    [
        (0, [("held", "returned", 900)], [900]),
        (300, [("held", "spent", 300), ("held", "returned", 600)], [600]),
        (900, [("held", "spent", 900)], []),
    ],
)
def test_what_is_free_after_the_end_goes_back_to_the_sharer(
    charged: int, entries: list[tuple[str, str, int]], unfrozen: list[int]
) -> None:
    one = quota(900)
    books = books_with(one)
    payment = placed(books, 900)
    books.put(replace(books.quotas[one.quota_id], state=QuotaState.ENDED))
    if charged:
        decision = capture(books, capture_of(payment.payment_id, charged))
    else:
        decision = release(books, release_of(payment.payment_id))
    assert moved(decision) == entries
    orders = [order.amount for order in decision.orders if order.kind == "unfreeze"]
    assert orders == unfrozen


@pytest.mark.rule("R32")
def test_what_somebody_has_stopped_sharing_is_not_held_longer() -> None:
    one = quota(900)
    books = books_with(one)
    payment = placed(books, 900)
    books.put(replace(books.quotas[one.quota_id], state=QuotaState.ENDED))
    decision = extend(books, extend_of(payment.payment_id, 2 * DAY), Terms())
    assert refusal_of(decision) is RelationNotActive


def test_extending_again_and_again_makes_no_hold_immortal() -> None:
    books = books_with(quota(900))
    payment = placed(books, 900)
    for day in range(1, 90):
        at(books, NOW + timedelta(days=day, seconds=-1))
        decision = extend(books, extend_of(payment.payment_id, 5 * DAY), Terms())
        assert not isinstance(decision.answer, Exception), day
    assert books.payments[payment.payment_id].expires_at == NOW + timedelta(days=90)
    at(books, NOW + timedelta(days=90))
    decision = extend(books, extend_of(payment.payment_id, DAY), Terms())
    assert refusal_of(decision) is HoldExpired


def test_no_hold_begins_longer_than_its_purpose_allows() -> None:
    decision = hold(books_with(quota(9)), asked(9, hold_seconds=90 * DAY + 1), Terms())
    assert refusal_of(decision) is Invalid
