"""The rule of a scheme that nothing followed: the relation ends, back to the day it lapsed (R5)."""

from __future__ import annotations

from datetime import datetime

from kit.answers import answer
from relations.domain.commands import EndLapsed
from relations.domain.decisions import NOTHING_NEW, Decision
from relations.domain.ending import end
from relations.domain.relation import Relations


def end_lapsed(relations: Relations, command: EndLapsed, now: datetime) -> Decision:
    """suspended → ending, unless something has happened since the sweep saw the deadline."""
    relation = relations.relation(command.relation_id)
    assert relation is not None
    if relation.ends_at != command.ends_at or relation.lapsed_on is None:
        return NOTHING_NEW
    assert command.ends_at <= now, "the sweep saw a deadline that had passed"
    entered, told = end(
        relations, relation, "ended", since=relation.lapsed_on, actor_id=None, now=now
    )
    return Decision(answer=answer(200, {}), events=told, entered=(entered,))
