"""The rule of a capture: what the hospital charged is owed, the rest of the hold is free.

held --amount-----> spent          from the first sharer on
held --remainder--> available      the last sharer's first; returned, where the relation has ended
"""

from __future__ import annotations

from dataclasses import replace

from contracts.commands import Capture
from contracts.public import Bill
from contracts.refusals import CaptureExceedsHold, ExceedsPersonalBurden
from contracts.vocabulary import Book, InstitutionKind, PaymentState
from kit.refusal import Refusal
from wallet.domain import bill as bills
from wallet.domain import facts
from wallet.domain.books import Books, Entry
from wallet.domain.decisions import Decision, refused
from wallet.domain.giving_back import free
from wallet.domain.held import held_by
from wallet.domain.orders import debits
from wallet.domain.payment import Payment
from wallet.domain.views import payment_answer


def capture(books: Books, command: Capture) -> Decision:
    """Charge what is wanted of a hold. Whether its relations still live is not asked (R32)."""
    hold = held_by(books, command.payment_id, command.institution)
    if isinstance(hold, Refusal):
        return refused(hold)
    if command.amount_fen > hold.amount:
        return refused(CaptureExceedsHold(f"{hold.amount} fen are held"))
    shared_first = books.shared_first(hold.insuplc_admdvs)
    refusal = unpayable_by(hold, command.bill, command.amount_fen, shared_first=shared_first)
    if refusal is not None:
        return refused(refusal)

    # From here on the capture happens.
    return charged(books, hold, command.amount_fen, command.bill)


def charged(books: Books, hold: Payment, amount: int, final: Bill | None = None) -> Decision:
    """Charge `amount` fen of a hold by its final bill, and free the rest of it."""
    moment = books.moment
    captured = replace(
        hold,
        state=PaymentState.CAPTURED,
        captured=amount,
        captured_at=moment.now,
        period=moment.period,
        bill=final or hold.bill,
    )
    spent = tuple(
        Entry(
            quota_id=part.quota_id,
            source=Book.HELD,
            target=Book.SPENT,
            amount=part.amount,
            payment_id=hold.payment_id,
            period=captured.period,
        )
        for part in captured.given
    )
    books.post(spent)
    freed = free(
        books,
        hold.between(amount, hold.amount),
        source=Book.HELD,
        payment_id=hold.payment_id,
    )
    assert sum(entry.amount for entry in (*spent, *freed.entries)) == hold.amount
    books.put_payment(captured)
    orders, ordered = debits(books, captured, captured.given)
    return Decision(
        answer=payment_answer(200, captured),
        entries=(*spent, *freed.entries),
        orders=(*orders, *freed.orders),
        events=(facts.captured(books, captured), *ordered, *freed.events),
    )


def unpayable_by(
    payment: Payment, final: Bill | None, amount: int, *, shared_first: bool = False
) -> Refusal | None:
    """Why a final bill does not bear this amount (R10, R11, R20); None without another bill."""
    if final is None:
        return None
    assert payment.institution is not None, "what has a bill has an institution"
    kind = InstitutionKind.PHARMACY if payment.institution[0] == "P" else InstitutionKind.HOSPITAL
    refusal = bills.purpose_refusal(final, payment.purpose, kind) or bills.contradiction(final)
    if refusal is not None:
        return refusal
    most = bills.payable(final, shared_first=shared_first)
    if amount > most:
        return ExceedsPersonalBurden(f"at most {most} fen by the final bill")
    return None
