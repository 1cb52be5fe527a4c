"""A relation as it is told on the border, where a person is a number of a pooling area."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Literal

from contracts import events, topics
from contracts.vocabulary import RelationState
from kit.work import Event
from policy.policy import Policy
from relations.domain.decisions import Decision, StateEntered
from relations.domain.people import SHARED_WITH, Enrolment, People, Person
from relations.domain.relation import Relation

LASTING: dict[RelationState, Literal["active", "suspended", "ended"]] = {
    RelationState.ACTIVE: "active",
    RelationState.SUSPENDED: "suspended",
    RelationState.ENDED: "ended",
}
"""States that are told to provinces; the others pass, or were never in force."""


def sharer_of(relation: Relation) -> events.BorderPerson:
    return events.BorderPerson(
        psn_no=relation.sharer_psn_no, pool_admdvs=relation.sharer_pool_admdvs
    )


def beneficiary_of(relation: Relation, beneficiary: Person) -> events.BorderPerson:
    received = received_by(relation, beneficiary)
    return events.BorderPerson(psn_no=received.psn_no, pool_admdvs=received.pool_admdvs)


def received_by(relation: Relation, beneficiary: Person) -> Enrolment:
    """The enrolment of the beneficiary on which a relation rests."""
    there = (
        each
        for each in beneficiary.enrolments
        if each.pool_admdvs == relation.beneficiary_pool_admdvs and each.insutype in SHARED_WITH
    )
    return max(there, key=lambda enrolment: enrolment.rank)


def told_to_provinces(
    people: People, decisions: Iterable[Decision], policy: Policy, today: date
) -> list[Decision]:
    """These decisions, each with `relation.changed` for every state it brought that lasts."""
    return [_with_changes(people, decision, policy, today) for decision in decisions]


def _with_changes(people: People, decision: Decision, policy: Policy, today: date) -> Decision:
    changes = [
        told for entered in decision.entered for told in _changed(people, entered, policy, today)
    ]
    return replace(decision, events=(*decision.events, *changes)) if changes else decision


def _changed(
    people: People, entered: StateEntered, policy: Policy, today: date
) -> tuple[Event, ...]:
    """One fact for the provinces of both; where that is one, it hears it once."""
    relation = entered.relation
    state = LASTING.get(relation.state)
    if state is None:
        return ()
    beneficiary = people.person(relation.beneficiary_id)
    assert beneficiary is not None
    body = events.RelationChanged(
        relation_id=relation.relation_id,
        state=state,
        kind=relation.kind,
        sharer=sharer_of(relation),
        beneficiary=beneficiary_of(relation, beneficiary),
    )
    pools = (body.sharer.pool_admdvs, body.beneficiary.pool_admdvs)
    # One command may bring a relation to two states: each is an event of its own.
    subject = f"{relation.relation_id}/{relation.sequence}"
    return tuple(
        events.event(topics.to_province(province), relation.relation_id, subject, body)
        for province in dict.fromkeys(policy.province_of(pool, today) for pool in pools)
    )
