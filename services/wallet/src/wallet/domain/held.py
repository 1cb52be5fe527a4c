"""What has to be so before anything may become of a hold."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from contracts.refusals import HoldExpired, PaymentNotHeld
from contracts.vocabulary import PaymentState
from kit.refusal import NotFound, Refusal
from wallet.domain.books import Books
from wallet.domain.payment import Payment


def held_by(books: Books, payment_id: UUID, institution: str) -> Payment | Refusal:
    """The institution's own payment, as long as it is held; else why nothing may become of it.

    A hold is over at its deadline, whether or not the sweep has come by.
    """
    payment = books.payments.get(payment_id)
    if payment is None or payment.institution != institution:
        return NotFound()
    if payment.state is PaymentState.EXPIRED or is_over(payment, books.moment.now):
        return HoldExpired()
    if payment.state is not PaymentState.HELD:
        return PaymentNotHeld(f"the payment is {payment.state}")
    return payment


def is_over(payment: Payment, now: datetime) -> bool:
    """Whether this is a hold whose deadline has passed."""
    return (
        payment.state is PaymentState.HELD
        and payment.expires_at is not None
        and now >= payment.expires_at
    )
