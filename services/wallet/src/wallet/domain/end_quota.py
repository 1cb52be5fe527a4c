"""The rule of an end: what is unused goes back at once, what is held lives on (R6, R32, R36).

available --all of it--> returned        the province unfreezes it
held                     stays, until it is captured, released or expires
a freeze in flight       stays; what the province still grants goes back
spent                    stays; what was spent since the day to which the end is dated back is
                         listed to the sharer's pool, never reversed (R35)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from contracts import events, topics
from contracts.vocabulary import QuotaState
from kit.answers import answer
from kit.work import Event
from wallet.domain.books import Books, Quota
from wallet.domain.commands import EndQuota
from wallet.domain.decisions import NOTHING_NEW, Decision
from wallet.domain.giving_back import give_back


def end_quota(books: Books, command: EndQuota, spent_since: Sequence[tuple[UUID, int]]) -> Decision:
    """End a quota once; `quota.ended` lets relations close the relation.

    `spent_since` are payments and what each took of the quota, in fen, since the day of the end.
    """
    quota = books.quota_of_relation(command.beneficiary_id, command.relation_id)
    assert quota is not None, "a relation ended whose quota was never opened"
    if quota.state is QuotaState.ENDED:
        return NOTHING_NEW
    returned = give_back(books, quota.quota_id, quota.available) if quota.available else None
    ended = replace(books.quotas[quota.quota_id], state=QuotaState.ENDED)
    books.put(ended)
    body = events.QuotaEnded(
        quota_id=quota.quota_id,
        relation_id=quota.relation_id,
        sharer_id=quota.sharer_id,
        beneficiary_id=quota.beneficiary_id,
        reason=command.reason,
        amount_fen=quota.available,
        balances=ended.balances(),
    )
    told = events.event(topics.QUOTA, quota.beneficiary_id, quota.quota_id, body)
    return Decision(
        answer=answer(200, {}),
        entries=() if returned is None else (returned.entry,),
        orders=() if returned is None else (returned.order,),
        events=(
            told,
            *(() if returned is None else (returned.told,)),
            *_listed(books, ended, command, spent_since),
        ),
    )


def _listed(
    books: Books, quota: Quota, command: EndQuota, spent_since: Sequence[tuple[UUID, int]]
) -> tuple[Event, ...]:
    if not spent_since:
        return ()
    body = events.RecoveryListed(
        quota_id=quota.quota_id,
        psn_no=quota.sharer_psn_no,
        pool_admdvs=quota.sharer_admdvs,
        since=command.since,
        payments=tuple(
            events.Recoverable(payment_id=payment_id, amount_fen=amount)
            for payment_id, amount in spent_since
        ),
    )
    topic = topics.to_province(books.province_of(quota.sharer_admdvs))
    return (events.event(topic, quota.quota_id, quota.quota_id, body),)
