"""The rule of what shall be spendable (R9): more is asked of the province, less is returned.

available < wanted    the province is asked to freeze the difference; the quota is freezing
available > wanted    available --difference--> returned, the province unfreezes it
"""

from __future__ import annotations

from dataclasses import replace

from contracts.commands import SetQuota
from contracts.refusals import RelationNotActive
from contracts.vocabulary import MOST_FEN, QuotaState
from kit.answers import answer
from kit.refusal import Invalid, NotFound, Refusal, WrongState
from wallet.domain.books import Books, Quota
from wallet.domain.decisions import Decision, refused
from wallet.domain.giving_back import give_back
from wallet.domain.orders import OrderKind, freeze_event, order_of
from wallet.domain.views import quota_view


def set_quota(books: Books, command: SetQuota) -> Decision:
    """Bring a quota towards `available_fen`; answers 202 with the quota as it then stands."""
    quota = books.quota_of_relation(command.beneficiary_id, command.relation_id)
    if quota is None or quota.sharer_id != command.sharer_id:
        return refused(NotFound())
    difference = command.available_fen - quota.available
    refusal = _refusal(quota, difference)
    if refusal is not None:
        return refused(refusal)
    if difference > 0:
        return _raise(books, quota, difference)
    if difference < 0:
        return _lower(books, quota, -difference)
    books.put(replace(quota, state=QuotaState.ACTIVE, refusal=None))
    return Decision(answer=answer(202, quota_view(books.quotas[quota.quota_id])))


def _refusal(quota: Quota, difference: int) -> Refusal | None:
    if quota.state is QuotaState.ENDED:
        return RelationNotActive("the relation has ended")
    if quota.state is QuotaState.FREEZING:
        return WrongState("the province has not answered the last change")
    if quota.granted + difference > MOST_FEN:
        return Invalid("available_fen: more than a quota can ever hold")
    if difference > 0 and quota.suspended:
        return RelationNotActive("an insurance is suspended")
    return None


def _raise(books: Books, quota: Quota, difference: int) -> Decision:
    books.put(replace(quota, state=QuotaState.FREEZING, refusal=None))
    order = order_of(books, quota, OrderKind.FREEZE, difference)
    return Decision(
        answer=answer(202, quota_view(books.quotas[quota.quota_id])),
        orders=(order,),
        events=(freeze_event(books, quota, order),),
    )


def _lower(books: Books, quota: Quota, difference: int) -> Decision:
    returned = give_back(books, quota.quota_id, difference)
    books.put(replace(books.quotas[quota.quota_id], state=QuotaState.ACTIVE, refusal=None))
    return Decision(
        answer=answer(202, quota_view(books.quotas[quota.quota_id])),
        entries=(returned.entry,),
        orders=(returned.order,),
        events=(returned.told,),
    )
