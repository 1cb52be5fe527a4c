"""How any relation ends: it is `ending` until the wallet has applied it (R3, R5)."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from contracts import events, topics
from contracts.vocabulary import RelationEnd, RelationState
from kit.work import Event
from relations.domain.decisions import StateEntered
from relations.domain.relation import Relation, Relations

MAY_END = frozenset({RelationState.ACTIVATING, RelationState.ACTIVE, RelationState.SUSPENDED})
"""States in which the wallet knows of the relation, or will soon."""


def end(
    relations: Relations,
    relation: Relation,
    reason: RelationEnd,
    *,
    since: date,
    actor_id: UUID | None,
    now: datetime,
) -> tuple[StateEntered, tuple[Event, ...]]:
    """Let a relation end; `since` is the Beijing day from which it should have been over.

    `actor_id` is whose will it is; None where an insurance ended. One of which the wallet has not
    been told is over at once.
    """
    assert relation.state in MAY_END
    if relation.awaits_kinship:
        ended = relation.entering(RelationState.ENDED, now)
        relations.put(ended)
        return StateEntered(relation=ended, actor_id=actor_id, happened_at=now), ()
    ending = relation.entering(RelationState.ENDING, now)
    relations.put(ending)
    body = events.RelationEnded(
        relation_id=relation.relation_id,
        sharer_id=relation.sharer_id,
        beneficiary_id=relation.beneficiary_id,
        reason=reason,
        since=since,
        ended_at=now,
    )
    told = events.event(topics.RELATION, relation.beneficiary_id, relation.relation_id, body)
    return StateEntered(relation=ending, actor_id=actor_id, happened_at=now), (told,)
