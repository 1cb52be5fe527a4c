"""The rule of activation: the wallet opened a quota, so the relation is in force."""

from __future__ import annotations

from datetime import date, datetime

from contracts.vocabulary import RelationState
from kit.answers import answer
from policy.policy import Policy
from relations.domain.commands import ActivateRelation
from relations.domain.decisions import NOTHING_NEW, Decision, StateEntered
from relations.domain.people import People
from relations.domain.relation import Relations
from relations.domain.standing import judge_by


def activate_relation(
    people: People,
    relations: Relations,
    command: ActivateRelation,
    policy: Policy,
    *,
    now: datetime,
    today: date,
) -> Decision:
    """activating → active. The wallet opens a quota only for what both consented to.

    An insurance that was suspended meanwhile suspends it at once (R5).
    """
    relation = relations.relation(command.relation_id)
    assert relation is not None, "a quota was opened for a relation that does not exist"
    assert relation.state is not RelationState.PROPOSED, "a quota was opened without consent"
    if relation.state is not RelationState.ACTIVATING:
        return NOTHING_NEW
    active = relation.entering(RelationState.ACTIVE, now)
    relations.put(active)
    first = StateEntered(relation=active, actor_id=None, happened_at=now)
    entered, told = judge_by(people, relations, active, policy, now=now, today=today)
    return Decision(answer=answer(200, {}), events=told, entered=(first, *entered))
