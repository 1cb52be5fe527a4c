"""The rule of consent: the one who did not propose confirms, and the wallet is asked (R3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from contracts.commands import ConfirmRelation
from contracts.refusals import ConsentRequired, NotInsured
from contracts.vocabulary import RelationState, Role
from kit.refusal import NotFound, Refusal, WrongState
from policy.policy import Policy
from relations.domain.consent import of_age, refusal_of_consent
from relations.domain.decisions import Decision, StateEntered, refused
from relations.domain.eligibility import Pair, insured_pair, refusal_of_areas
from relations.domain.kinship import activated, inquiry_of
from relations.domain.kinship import asked as asked_kinship
from relations.domain.people import People, Person
from relations.domain.relation import Relation, Relations
from relations.domain.views import relation_answer


def confirm_relation(
    people: People,
    relations: Relations,
    command: ConfirmRelation,
    policy: Policy,
    *,
    now: datetime,
    today: date,
    new_id: Callable[[], UUID],
) -> Decision:
    """proposed → activating, and `relation.activated` for the wallet to apply: 202.

    Where an area wants it, its province is first asked whether they are relatives (R13).

    Insurance and areas are looked at again: they may have changed since the proposal.
    """
    relation = relations.relation(command.relation_id)
    role = None if relation is None else relation.role_of(command.person_id)
    if relation is None or role is None:
        return refused(NotFound())
    if relation.state is not RelationState.PROPOSED:
        return refused(WrongState(f"the relation is {relation.state}"))
    sharer, beneficiary = people.person(relation.sharer_id), people.person(relation.beneficiary_id)
    assert sharer is not None
    assert beneficiary is not None
    will = _will_of(relation, command, beneficiary, policy, today)
    asked = beneficiary if relation.proposed_by is Role.SHARER else sharer
    refusal = _refusal_of_will(
        people, relations, relation, asked=asked, will=will, policy=policy, today=today
    )
    if refusal is not None:
        return refused(refusal)
    pair = insured_pair(sharer, beneficiary)
    if isinstance(pair, NotInsured):
        return refused(pair)
    refusal = refusal_of_areas(pair, policy, today)
    if refusal is not None:
        return refused(refusal)

    activating = _resting_on(pair, relation).entering(RelationState.ACTIVATING, now)
    inquiry = inquiry_of(activating, policy, now=now, today=today, new_id=new_id)
    activating = replace(activating, inquiry=inquiry)
    relations.put(activating)
    told = (
        activated(activating, beneficiary, now)
        if inquiry is None
        else asked_kinship(activating, beneficiary)
    )
    return Decision(
        answer=relation_answer(202, activating, role),
        events=(told,),
        entered=(
            StateEntered(
                relation=activating,
                actor_id=will.person_id,
                guardian_id=will.guardian_id,
                happened_at=now,
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Will:
    """Whose consent it is, and who said so for them."""

    person_id: UUID
    guardian_id: UUID | None


def _will_of(
    relation: Relation, command: ConfirmRelation, beneficiary: Person, policy: Policy, today: date
) -> _Will:
    """A sharer who proposed to somebody under age confirms as the guardian (R13)."""
    said = _Will(person_id=command.person_id, guardian_id=command.guardian_id)
    proposed_it = command.person_id == relation.sharer_id and relation.proposed_by is Role.SHARER
    if proposed_it and command.guardian_id is None and not of_age(beneficiary, policy, today):
        return _Will(person_id=beneficiary.person_id, guardian_id=relation.sharer_id)
    return said


def _refusal_of_will(
    people: People,
    relations: Relations,
    relation: Relation,
    *,
    asked: Person,
    will: _Will,
    policy: Policy,
    today: date,
) -> Refusal | None:
    """R3: the one who was asked consents, to a letter in force; R13: or who may speak for them."""
    if will.person_id != asked.person_id:
        return ConsentRequired("the other person has to consent")
    versions = policy.at(asked.primary.pool_admdvs, today).commitment_versions
    if relation.commitment_version not in versions:
        return ConsentRequired("the commitment letter of the proposal is no longer in force")
    return refusal_of_consent(
        people,
        relations,
        asked,
        will.guardian_id,
        sharer_id=relation.sharer_id,
        policy=policy,
        today=today,
    )


def _resting_on(pair: Pair, relation: Relation) -> Relation:
    """The insurances of today count, not those of the day of the proposal (R5)."""
    return replace(
        relation,
        sharer_psn_no=pair.giving.psn_no,
        sharer_pool_admdvs=pair.giving.pool_admdvs,
        beneficiary_pool_admdvs=pair.receiving.pool_admdvs,
    )
