"""The rule of a new relation: a quota without money is opened for it, once."""

from __future__ import annotations

from contracts import events, topics
from contracts.vocabulary import QuotaState
from kit.answers import answer
from wallet.domain.books import Books, Quota
from wallet.domain.commands import OpenQuota
from wallet.domain.decisions import NOTHING_NEW, Decision


def open_quota(books: Books, command: OpenQuota) -> tuple[Decision, Quota | None]:
    """The quota to open, and the fact that makes the relation active; None if it is open."""
    relation = command.relation
    beneficiary_id = relation.beneficiary.person_id
    if books.quota_of_relation(beneficiary_id, relation.relation_id) is not None:
        return NOTHING_NEW, None
    quota = Quota(
        quota_id=books.new_id(),
        relation_id=relation.relation_id,
        beneficiary_id=beneficiary_id,
        sharer_id=relation.sharer.person_id,
        sharer_psn_no=relation.sharer.psn_no,
        sharer_admdvs=relation.sharer.pool_admdvs,
        kind=relation.kind,
        related_at=relation.activated_at,
        state=QuotaState.OPENED,
        refusal=None,
        granted=0,
        available=0,
        held=0,
        spent=0,
        restoring=0,
        returned=0,
        version=1,
    )
    books.add([quota])
    body = events.QuotaOpened(
        quota_id=quota.quota_id,
        relation_id=quota.relation_id,
        sharer_id=quota.sharer_id,
        beneficiary_id=quota.beneficiary_id,
    )
    told = events.event(topics.QUOTA, beneficiary_id, quota.quota_id, body)
    return Decision(answer=answer(200, {}), events=(told,)), quota
