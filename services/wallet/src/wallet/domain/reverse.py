"""The rule of a reversal: whatever was asked under a key is undone, or will not happen (R23).

held --amount--> available         the hold is released
spent --net----> restoring         the capture is given back, less what was refunded
available --amount--> spent        a refund is charged again, from the first sharer on
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from contracts.commands import Reverse
from contracts.internal import institution_caller
from contracts.public import Bill
from contracts.refusals import ReversalNotPossible, ReversalNotPossibleYet
from contracts.vocabulary import Book, PaymentState, QuotaState
from kit.answers import answer
from kit.refusal import Refusal
from wallet.domain import facts
from wallet.domain.books import Books, Entry
from wallet.domain.decisions import Decision, refused
from wallet.domain.held import is_over
from wallet.domain.orders import debits
from wallet.domain.original import Asked, Found, Original, Reversed
from wallet.domain.payment import Allocation, Payment, Refund, RefundKind
from wallet.domain.refund import give_up
from wallet.domain.release import let_go

REASON = "reversed by its key"


def reverse(books: Books, command: Reverse, found: Found) -> Decision:
    """Undo what the key stands for, once; a key that stands for nothing yet gets a tombstone."""
    if found.before is not None:
        again = "tombstoned" if found.before.payment_id is None else "already_reversed"
        return _outcome(again, found.before.payment_id)
    if found.original is None:
        return replace(_outcome("tombstoned", None), undone=_undone(books, command, None))
    original = found.original
    if original.asked is Asked.REFUSED:
        return _outcome("nothing_to_reverse", None)
    if original.payment_id is None:
        return refused(ReversalNotPossible("what was asked under this key left nothing to undo"))
    payment = books.payments[original.payment_id]
    if original.asked is Asked.REFUND:
        [refund] = [each for each in found.refunds if each.refund_id == original.refund_id]
        decision = _retake(books, payment, refund, found.refunds)
    else:
        decision = _undo(books, payment)
    if not decision.entries:
        return decision
    return replace(decision, undone=_undone(books, command, original))


def _undone(books: Books, command: Reverse, original: Original | None) -> Reversed:
    return Reversed(
        caller=institution_caller(command.institution),
        person_id=command.person_id,
        original_key=command.original_key,
        payment_id=None if original is None else original.payment_id,
        refund_id=None if original is None else original.refund_id,
        at=books.moment.now,
    )


def _undo(books: Books, payment: Payment) -> Decision:
    if payment.state is PaymentState.REVERSED:
        return _outcome("already_reversed", payment.payment_id)
    if payment.state is PaymentState.CAPTURED:
        given = give_up(books, payment, payment.charged, kind=RefundKind.REVERSAL, reason=REASON)
        told = facts.reversed_(books, given.payment, given.refund, given.parts, "capture")
        return replace(
            _outcome("reversed", payment.payment_id),
            refund=given.refund,
            entries=given.entries,
            orders=given.orders,
            events=(told, *given.events),
        )
    if payment.state is not PaymentState.HELD or is_over(payment, books.moment.now):
        return _outcome("nothing_to_reverse", payment.payment_id)
    released, freed = let_go(books, payment, PaymentState.RELEASED)
    return replace(
        _outcome("reversed", payment.payment_id),
        entries=freed.entries,
        orders=freed.orders,
        events=(facts.released(books, released), *freed.events),
    )


def _retake(books: Books, payment: Payment, refund: Refund, refunds: Sequence[Refund]) -> Decision:
    """Charge again what a refund gave back: possible as long as it is there to be charged."""
    if payment.state is PaymentState.REVERSED:
        return refused(ReversalNotPossible("the payment itself was reversed"))
    assert payment.bill is not None, "an institution's payment has a bill"
    parts = payment.between(payment.charged, payment.charged + refund.amount)
    refusal = _unavailable(books, parts)
    if refusal is not None:
        return refused(refusal)
    bill = _bill_without(payment.bill, refund, refunds)
    if payment.charged + refund.amount > bill.psn_part_fen - bill.own_acct_pay_fen:
        return refused(ReversalNotPossible("the bill does not bear the amount any more"))

    # From here on the refund is charged again.
    row = Refund(
        refund_id=books.new_id(),
        payment_id=payment.payment_id,
        kind=RefundKind.RETAKE,
        amount=refund.amount,
        reason=REASON,
        bill_before=payment.bill if bill is not payment.bill else None,
        retakes=refund.refund_id,
        business_date=books.moment.day,
        period=books.moment.period,
        at=books.moment.now,
    )
    entries = tuple(
        Entry(
            quota_id=part.quota_id,
            source=Book.AVAILABLE,
            target=Book.SPENT,
            amount=part.amount,
            payment_id=payment.payment_id,
            period=row.period,
            refund_id=row.refund_id,
        )
        for part in parts
    )
    books.post(entries)
    after = replace(
        payment,
        state=PaymentState.CAPTURED,
        refunded=payment.refunded - refund.amount,
        bill=bill,
    )
    books.put_payment(after)
    orders, ordered = debits(books, after, parts)
    told = facts.reversed_(books, after, row, parts, "refund")
    return replace(
        _outcome("reversed", payment.payment_id),
        refund=row,
        entries=entries,
        orders=orders,
        events=(told, *ordered),
    )


def _bill_without(bill: Bill, refund: Refund, refunds: Sequence[Refund]) -> Bill:
    """The bill as if there had been no such refund: the last one that still counts made it."""
    retaken = {each.retakes for each in refunds} | {refund.refund_id}
    for each in reversed(refunds):
        if each.kind is RefundKind.RETAKE or each.bill_before is None:
            continue
        if each.refund_id not in retaken:
            break
        bill = each.bill_before
    return bill


def _unavailable(books: Books, parts: Sequence[Allocation]) -> Refusal | None:
    """Why what was given back cannot be taken again, or not yet: all of it may still come."""
    awaited = None
    for part in parts:
        quota = books.quotas[part.quota_id]
        if quota.state is QuotaState.ENDED:
            return ReversalNotPossible("a relation it was given back to has ended")
        if quota.available >= part.amount:
            continue
        if quota.available + quota.restoring < part.amount:
            return ReversalNotPossible("what was refunded has been spent or given back since")
        awaited = ReversalNotPossibleYet("a province has not credited the refund yet")
    return awaited


def _outcome(outcome: str, payment_id: UUID | None) -> Decision:
    return Decision(answer=answer(200, {"outcome": outcome, "payment_id": payment_id}))
