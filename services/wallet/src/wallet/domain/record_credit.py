"""The rule of a province's answer to a credit: the money may be spent again, or is gone (R31).

credited     restoring --amount--> available       it is frozen again
             restoring --amount--> returned        the relation has ended: credited, or unfrozen
refused      restoring --amount--> returned        no account to credit: a clerk decides
"""

from __future__ import annotations

from dataclasses import replace

from contracts.vocabulary import Book
from kit.answers import answer
from kit.refusal import WrongState
from wallet.domain.books import Books, Entry
from wallet.domain.commands import RecordOrderAnswer
from wallet.domain.decisions import NOTHING_NEW, Decision, refused
from wallet.domain.giving_back import free
from wallet.domain.orders import AccountOrder, OrderKind, OrderState
from wallet.domain.payment import Allocation


def record_credit(books: Books, command: RecordOrderAnswer, order: AccountOrder) -> Decision:
    """Apply the answer once; the same answer again changes nothing, another one is refused."""
    assert order.kind is OrderKind.CREDIT
    said = OrderState.CONFIRMED if command.refused_because is None else OrderState.REFUSED
    if order.state is said:
        return NOTHING_NEW
    if order.state is not OrderState.SENT:
        return refused(WrongState(f"the credit was already {order.state}"))
    answered = replace(order, state=said, reason=command.refused_because)
    assert order.payment_id is not None
    if said is OrderState.CONFIRMED and order.freezes:
        quota = books.quotas[order.quota_id]
        part = Allocation(
            quota_id=quota.quota_id,
            kind=quota.kind,
            sharer_admdvs=quota.sharer_admdvs,
            amount=order.amount,
        )
        freed = free(books, [part], source=Book.RESTORING, payment_id=order.payment_id)
        return Decision(
            answer=answer(200, {}),
            answered=answered,
            entries=freed.entries,
            orders=freed.orders,
            events=freed.events,
        )
    entry = Entry(
        quota_id=order.quota_id,
        source=Book.RESTORING,
        target=Book.RETURNED,
        amount=order.amount,
        payment_id=order.payment_id,
        order_id=order.order_id,
    )
    books.post([entry])
    return Decision(answer=answer(200, {}), answered=answered, entries=(entry,))
