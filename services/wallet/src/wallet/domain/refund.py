"""The rule of a refund: what was paid too much goes back to where it came from (R22, R31).

spent --amount--> restoring        of the last sharer charged first, until the province has
                                   credited it; `record_credit` says what becomes of it then
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from contracts.commands import Refund as RefundCommand
from contracts.public import Bill
from contracts.refusals import ExceedsPersonalBurden, PaymentNotCaptured, RefundExceedsCapture
from contracts.vocabulary import Book, PaymentState
from kit.answers import answer
from kit.refusal import NotFound, Refusal
from kit.work import Event
from wallet.domain import bill as bills
from wallet.domain import facts
from wallet.domain.books import Books, Entry
from wallet.domain.decisions import Decision, refused
from wallet.domain.orders import AccountOrder, credits
from wallet.domain.payment import Allocation, Payment, Refund, RefundKind
from wallet.domain.views import refund_view


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Money of a payment on its way back: the row, who gets how much, what provinces are told."""

    payment: Payment
    refund: Refund
    parts: tuple[Allocation, ...]
    entries: tuple[Entry, ...]
    orders: tuple[AccountOrder, ...]
    events: tuple[Event, ...]


def refund(books: Books, command: RefundCommand) -> Decision:
    """Give back all or part of a captured payment. No presence is needed."""
    payment = books.payments.get(command.payment_id)
    if payment is None or payment.institution != command.institution:
        return refused(NotFound())
    refusal = _unrefundable(books, payment, command)
    if refusal is not None:
        return refused(refusal)

    # From here on the refund happens.
    given = give_up(
        books,
        payment,
        command.amount_fen,
        kind=RefundKind.REFUND,
        reason=command.reason,
        bill_after=command.bill_after,
    )
    told = facts.refunded(books, given.payment, given.refund, given.parts)
    return Decision(
        answer=answer(201, refund_view(given.payment, given.refund, given.parts)),
        refund=given.refund,
        entries=given.entries,
        orders=given.orders,
        events=(told, *given.events),
    )


def _unrefundable(books: Books, payment: Payment, command: RefundCommand) -> Refusal | None:
    if payment.state not in (PaymentState.CAPTURED, PaymentState.REFUNDED):
        return PaymentNotCaptured(f"the payment is {payment.state}")
    if command.amount_fen > payment.charged:
        return RefundExceedsCapture(f"{payment.charged} fen are left of it")
    if command.bill_after is None:
        return None
    contradiction = bills.contradiction(command.bill_after)
    if contradiction is not None:
        return contradiction
    shared_first = books.shared_first(payment.insuplc_admdvs)
    most = bills.payable(command.bill_after, shared_first=shared_first)
    if payment.charged - command.amount_fen > most:
        return ExceedsPersonalBurden(f"at most {most} fen by the bill after it")
    return None


def give_up(
    books: Books,
    payment: Payment,
    amount: int,
    *,
    kind: RefundKind,
    reason: str,
    bill_after: Bill | None = None,
) -> GivenUp:
    """Take `amount` fen of what is charged out of the payment, and have it credited."""
    left = payment.charged - amount
    parts = payment.between(left, payment.charged)
    assert sum(part.amount for part in parts) == amount
    row = Refund(
        refund_id=books.new_id(),
        payment_id=payment.payment_id,
        kind=kind,
        amount=amount,
        reason=reason,
        bill_before=payment.bill if bill_after is not None else None,
        retakes=None,
        business_date=books.moment.day,
        period=books.moment.period,
        at=books.moment.now,
    )
    entries = tuple(
        Entry(
            quota_id=part.quota_id,
            source=Book.SPENT,
            target=Book.RESTORING,
            amount=part.amount,
            payment_id=payment.payment_id,
            period=row.period,
            refund_id=row.refund_id,
        )
        for part in parts
    )
    books.post(entries)
    if kind is RefundKind.REVERSAL:
        state = PaymentState.REVERSED
    else:
        state = PaymentState.CAPTURED if left else PaymentState.REFUNDED
    after = replace(
        payment,
        state=state,
        refunded=payment.refunded + amount,
        bill=bill_after or payment.bill,
    )
    books.put_payment(after)
    orders, told = credits(books, row, parts)
    return GivenUp(
        payment=after, refund=row, parts=parts, entries=entries, orders=orders, events=told
    )
