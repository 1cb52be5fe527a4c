"""The rule of saying no: a proposal may be declined by the other one, or taken back (R3)."""

from __future__ import annotations

from datetime import date, datetime

from contracts.commands import DeclineRelation
from contracts.vocabulary import RelationState
from kit.refusal import NotFound, WrongState
from policy.policy import Policy
from relations.domain.consent import refusal_of_guardian
from relations.domain.decisions import Decision, StateEntered, refused
from relations.domain.people import People
from relations.domain.relation import Relations
from relations.domain.views import relation_answer


def decline_relation(
    people: People,
    relations: Relations,
    command: DeclineRelation,
    policy: Policy,
    *,
    now: datetime,
    today: date,
) -> Decision:
    """proposed → declined: 200, for the wallet has never heard of it."""
    relation = relations.relation(command.relation_id)
    role = None if relation is None else relation.role_of(command.person_id)
    if relation is None or role is None:
        return refused(NotFound())
    if relation.state is not RelationState.PROPOSED:
        return refused(WrongState(f"the relation is {relation.state}"))
    guardian = refusal_of_guardian(
        people,
        relations,
        command.person_id,
        command.guardian_id,
        sharer_id=relation.sharer_id,
        policy=policy,
        today=today,
    )
    if guardian is not None:
        return refused(guardian)
    declined = relation.entering(RelationState.DECLINED, now)
    relations.put(declined)
    entered = StateEntered(
        relation=declined,
        actor_id=command.person_id,
        guardian_id=command.guardian_id,
        happened_at=now,
    )
    return Decision(answer=relation_answer(200, declined, role), entered=(entered,))
