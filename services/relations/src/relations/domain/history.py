"""What became of a person or a relation, and which rule decided each step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.internal import HistoryStep, citizen_caller
from contracts.vocabulary import RelationState
from relations.domain.registration import Registration
from relations.domain.relation import Relation

BY_WILL = {
    RelationState.PROPOSED: ("R3", "R1", "R2"),
    RelationState.ACTIVATING: ("R3", "R29"),
    RelationState.ACTIVE: ("R3", "R7"),
    RelationState.ENDING: ("R3", "R6"),
    RelationState.ENDED: ("R3", "R6"),
    RelationState.DECLINED: ("R3",),
}
BY_INSURANCE = {
    RelationState.ACTIVE: ("R3", "R7"),
    RelationState.SUSPENDED: ("R5",),
    RelationState.ENDING: ("R5", "R6"),
    RelationState.ENDED: ("R5", "R6"),
    RelationState.DECLINED: ("R13",),
}
"""Which rules bring a relation to a state that nobody of the two wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A state that a relation entered, and whose will it was; a guardian may have said so."""

    relation_id: UUID
    sharer_id: UUID
    beneficiary_id: UUID
    state: str
    actor_id: UUID | None
    guardian_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentTold:
    """What a province told of a person's insurance."""

    person_id: UUID
    insutype: str
    pool_admdvs: str
    status: str
    reason: str | None
    at: datetime


def steps_of_relations(entered: Iterable[Entered]) -> list[HistoryStep]:
    """A step a state; what ends without anybody's will after one wanted it, ended by that will."""
    wanted: set[UUID] = set()
    steps = []
    for each in sorted(entered, key=lambda one: one.at):
        state = RelationState(each.state)
        if each.actor_id is not None and state is RelationState.ENDING:
            wanted.add(each.relation_id)
        by_will = each.actor_id is not None or each.relation_id in wanted
        rules = (BY_WILL if by_will else BY_INSURANCE).get(state, ("R3",))
        steps.append(
            HistoryStep(
                at=each.at,
                service="relations",
                type=f"relation.{state}",
                state=state,
                rules=rules if each.guardian_id is None else ("R13", *rules),
                relation_id=each.relation_id,
                seen_by=(citizen_caller(each.sharer_id), citizen_caller(each.beneficiary_id)),
            )
        )
    return steps


def steps_of_inquiries(relations: Iterable[Relation]) -> list[HistoryStep]:
    """Whether a province was asked if the two are relatives, and how far that is (R13)."""
    return [
        HistoryStep(
            at=each.inquiry.asked_at,
            service="relations",
            type="kinship.asked",
            state=each.inquiry.kinship,
            rules=("R13",),
            relation_id=each.relation_id,
            seen_by=(citizen_caller(each.sharer_id), citizen_caller(each.beneficiary_id)),
        )
        for each in relations
        if each.inquiry is not None
    ]


def steps_of_person(
    enrolments: Sequence[EnrolmentTold], registrations: Sequence[Registration]
) -> list[HistoryStep]:
    """What provinces told of somebody; the person alone may see it."""
    steps = [
        HistoryStep(
            at=each.at,
            service="relations",
            type=f"enrolment.{each.status}",
            state=each.status,
            rules=_rules_of(each),
            reason=each.reason,
            person_id=each.person_id,
            admdvs=each.pool_admdvs,
            seen_by=(citizen_caller(each.person_id),),
        )
        for each in enrolments
    ]
    return steps + [
        HistoryStep(
            at=each.told_at,
            service="relations",
            type="registration.changed",
            rules=("R26",),
            person_id=each.person_id,
            admdvs=each.mdtrtarea_admvs,
            seen_by=(citizen_caller(each.person_id),),
        )
        for each in registrations
    ]


def _rules_of(told: EnrolmentTold) -> tuple[str, ...]:
    if told.reason == "deceased":
        return ("R36", "R5")
    return ("R1",) if told.status == "active" else ("R5",)
