"""The rule of a hold that is given up, and of one whose deadline has passed: all of it is free.

held --amount--> available         returned, where the relation has ended
"""

from __future__ import annotations

from dataclasses import replace

from contracts.commands import Release
from contracts.vocabulary import Book, PaymentState
from kit.answers import answer
from kit.refusal import Refusal
from wallet.domain import facts
from wallet.domain.books import Books
from wallet.domain.commands import ExpireHold
from wallet.domain.decisions import NOTHING_NEW, Decision, refused
from wallet.domain.giving_back import Freed, free
from wallet.domain.held import held_by, is_over
from wallet.domain.payment import Payment
from wallet.domain.views import payment_answer


def release(books: Books, command: Release) -> Decision:
    """Give a hold up."""
    hold = held_by(books, command.payment_id, command.institution)
    if isinstance(hold, Refusal):
        return refused(hold)
    return released(books, hold)


def released(books: Books, hold: Payment) -> Decision:
    """Free everything that is held, because it will not be needed."""
    gone, freed = let_go(books, hold, PaymentState.RELEASED)
    return Decision(
        answer=payment_answer(200, gone),
        entries=freed.entries,
        orders=freed.orders,
        events=(facts.released(books, gone), *freed.events),
    )


def expire_hold(books: Books, command: ExpireHold) -> Decision:
    """Let a hold go whose deadline is still the one that was seen, and has passed."""
    hold = books.payments.get(command.payment_id)
    if hold is None or hold.expires_at != command.expires_at:
        return NOTHING_NEW
    if not is_over(hold, books.moment.now):
        return NOTHING_NEW
    expired, freed = let_go(books, hold, PaymentState.EXPIRED)
    return Decision(
        answer=answer(200, {}),
        entries=freed.entries,
        orders=freed.orders,
        events=(facts.expired(books, expired), *freed.events),
    )


def let_go(books: Books, hold: Payment, state: PaymentState) -> tuple[Payment, Freed]:
    """Free everything that is held, and post it."""
    assert hold.state is PaymentState.HELD
    freed = free(books, hold.allocations, source=Book.HELD, payment_id=hold.payment_id)
    gone = replace(hold, state=state)
    books.put_payment(gone)
    return gone, freed
