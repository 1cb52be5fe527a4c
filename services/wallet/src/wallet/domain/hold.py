"""The rule of a hold: money is set aside for a bill that is not final yet.

available --amount--> held         of each sharer in order, until the amount is reached
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Protocol

from contracts.commands import Hold
from contracts.vocabulary import Book
from kit.refusal import Invalid, Refusal
from policy.settings import Purpose
from wallet.domain import facts
from wallet.domain.books import Books, Entry
from wallet.domain.charge import OpenAreas, allocated, payment_of, unpayable
from wallet.domain.decisions import Decision, refused
from wallet.domain.payment import Payment
from wallet.domain.views import payment_answer


class Purposes(Protocol):
    """How long a hold may live where and for what; the policy's data answers."""

    def purpose(self, name: str, code: str, day: date, /) -> Purpose: ...


class Terms(OpenAreas, Purposes, Protocol):
    """Where, for what and for how long."""


def hold(books: Books, command: Hold, terms: Terms) -> Decision:
    """Set the amount aside until it is captured or the deadline passes, or refuse by name."""
    refusal = unpayable(books, command, terms)
    if refusal is not None:
        return refused(refusal)
    limits = terms.purpose(command.purpose, command.mdtrtarea_admvs, books.moment.day)
    seconds = command.hold_seconds or limits.hold_seconds_default
    if seconds > limits.hold_seconds_max:
        return refused(too_long(limits))
    allocations = allocated(books, command, terms)
    if isinstance(allocations, Refusal):
        return refused(allocations)

    # From here on the hold happens.
    expires_at = books.moment.now + timedelta(seconds=seconds)
    payment = payment_of(books, command, allocations, captured=False, expires_at=expires_at)
    entries = tuple(
        Entry(
            quota_id=allocation.quota_id,
            source=Book.AVAILABLE,
            target=Book.HELD,
            amount=allocation.amount,
            payment_id=payment.payment_id,
        )
        for allocation in allocations
    )
    books.post(entries)
    return Decision(
        answer=payment_answer(201, payment),
        payment=payment,
        entries=entries,
        events=(facts.held(books, payment),),
    )


def longest(payment: Payment, purposes: Purposes, day: date) -> Purpose:
    """What holds for the purpose of a payment at its place of care today."""
    return purposes.purpose(payment.purpose, payment.owed_at, day)


def too_long(limits: Purpose) -> Invalid:
    return Invalid(f"hold_seconds: at most {limits.hold_seconds_max} for this purpose")
