"""The rule of closing: the wallet has ended the quota, so the relation is over for good."""

from __future__ import annotations

from datetime import datetime

from contracts.vocabulary import RelationState
from kit.answers import answer
from relations.domain.commands import CloseRelation
from relations.domain.decisions import NOTHING_NEW, Decision, StateEntered
from relations.domain.relation import Relations


def close_relation(relations: Relations, command: CloseRelation, now: datetime) -> Decision:
    """ending → ended. The wallet ends only what was ended here."""
    relation = relations.relation(command.relation_id)
    assert relation is not None, "a quota was ended for a relation that does not exist"
    if relation.state is RelationState.ENDED:
        return NOTHING_NEW
    assert relation.state is RelationState.ENDING, "a quota was ended whose relation was not"
    ended = relation.entering(RelationState.ENDED, now)
    relations.put(ended)
    entered = StateEntered(relation=ended, actor_id=None, happened_at=now)
    return Decision(answer=answer(200, {}), entered=(entered,))
