"""The rule of a province's answer to a freeze: granted, or refused with its reason.

confirmed    province --amount--> available      (and on to returned, where the quota has ended,
                                                 or a clerk had given the silent province up)
refused      nothing moves; what was granted before stays spendable
"""

from __future__ import annotations

from dataclasses import replace

from contracts import events, topics
from contracts.vocabulary import Book, QuotaState
from kit.answers import answer
from kit.refusal import NotFound, WrongState
from wallet.domain.books import Books, Entry, Quota
from wallet.domain.commands import RecordFreeze
from wallet.domain.decisions import NOTHING_NEW, Decision, refused
from wallet.domain.giving_back import give_back
from wallet.domain.orders import AccountOrder, OrderKind, OrderState


def record_freeze(books: Books, command: RecordFreeze, order: AccountOrder | None) -> Decision:
    """Apply the answer once; the same answer again changes nothing, another one is refused."""
    if order is None or order.kind is not OrderKind.FREEZE:
        return refused(NotFound("no freeze was requested under this id"))
    if command.province != books.province_of(order.sharer_admdvs):
        return refused(NotFound("no freeze was requested of this province under this id"))
    answered = OrderState.CONFIRMED if command.confirmed else OrderState.REFUSED
    if order.state is answered:
        return NOTHING_NEW
    given_up = order.state is OrderState.GIVEN_UP
    if order.state is not OrderState.SENT and not given_up:
        return refused(WrongState(f"the freeze was already {order.state}"))
    quota = books.quotas[order.quota_id]
    settled = replace(order, state=answered, reason=command.reason)
    if command.confirmed:
        return _grant(books, quota, settled, too_late=given_up or quota.state is QuotaState.ENDED)
    # Whoever asked was told so already, when it was given up.
    known = Decision(answer=answer(200, {}), answered=settled)
    return known if given_up else refuse(books, quota, settled)


def _grant(books: Books, quota: Quota, order: AccountOrder, *, too_late: bool) -> Decision:
    entry = Entry(
        quota_id=quota.quota_id,
        source=Book.PROVINCE,
        target=Book.AVAILABLE,
        amount=order.amount,
        order_id=order.order_id,
    )
    books.post([entry])
    if too_late:
        return _granted_too_late(books, quota, order, entry)
    granted = replace(books.quotas[quota.quota_id], state=QuotaState.ACTIVE, refusal=None)
    books.put(granted)
    body = events.QuotaGranted(
        quota_id=quota.quota_id,
        relation_id=quota.relation_id,
        amount_fen=order.amount,
        balances=granted.balances(),
    )
    return Decision(
        answer=answer(200, {}),
        entries=(entry,),
        answered=order,
        events=(events.event(topics.QUOTA, quota.beneficiary_id, order.order_id, body),),
    )


def _granted_too_late(books: Books, quota: Quota, order: AccountOrder, granted: Entry) -> Decision:
    """Nobody counts on it any more, by an end (R6) or a clerk: what was frozen goes back."""
    returned = give_back(books, quota.quota_id, order.amount)
    body = events.QuotaGranted(
        quota_id=quota.quota_id,
        relation_id=quota.relation_id,
        amount_fen=order.amount,
        balances=books.quotas[quota.quota_id].balances(),
    )
    told = events.event(topics.QUOTA, quota.beneficiary_id, order.order_id, body)
    return Decision(
        answer=answer(200, {}),
        entries=(granted, returned.entry),
        orders=(returned.order,),
        answered=order,
        events=(told, returned.told),
    )


def refuse(books: Books, quota: Quota, order: AccountOrder) -> Decision:
    """What becomes of a quota whose freeze will not be: `order` says why and how it is settled."""
    assert order.reason is not None
    left = replace(quota, state=_state_after_a_refusal(quota), refusal=order.reason)
    books.put(left)
    body = events.QuotaRefused(
        quota_id=quota.quota_id,
        relation_id=quota.relation_id,
        amount_fen=order.amount,
        reason=order.reason,
        balances=left.balances(),
    )
    return Decision(
        answer=answer(200, {}),
        answered=order,
        events=(events.event(topics.QUOTA, quota.beneficiary_id, order.order_id, body),),
    )


def _state_after_a_refusal(quota: Quota) -> QuotaState:
    if quota.state is QuotaState.ENDED:
        return QuotaState.ENDED
    return QuotaState.ACTIVE if quota.granted > 0 else QuotaState.REFUSED
