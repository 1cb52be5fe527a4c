"""The rule of leaving: either of the two may end a relation at any time (R3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from contracts.commands import EndRelation
from kit.refusal import NotFound, WrongState
from policy.policy import Policy
from relations.domain.consent import refusal_of_guardian
from relations.domain.decisions import Decision, refused
from relations.domain.ending import MAY_END, end
from relations.domain.people import People
from relations.domain.relation import Relations
from relations.domain.views import relation_answer


def end_relation(
    people: People,
    relations: Relations,
    command: EndRelation,
    policy: Policy,
    *,
    now: datetime,
    today: date,
) -> Decision:
    """activating, active, suspended → ending, and `relation.ended` for the wallet to apply: 202.

    `today` is the Beijing day of `now`.
    """
    relation = relations.relation(command.relation_id)
    role = None if relation is None else relation.role_of(command.person_id)
    if relation is None or role is None:
        return refused(NotFound())
    if relation.state not in MAY_END:
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
    entered, told = end(
        relations, relation, "will", since=today, actor_id=command.person_id, now=now
    )
    entered = replace(entered, guardian_id=command.guardian_id)
    return Decision(
        answer=relation_answer(202, entered.relation, role), events=told, entered=(entered,)
    )
