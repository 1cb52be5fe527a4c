"""Whose consent counts: from an age on one's own, before that a guardian's (R13).

The guardian of a person under age is the one who shares with them, or a parent: somebody who is
known to share with them as with a child of their own.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from contracts.refusals import ConsentRequired
from contracts.vocabulary import RelationState
from kit.refusal import NotFound, Refusal
from policy.policy import Policy
from relations.domain.people import People, Person
from relations.domain.relation import Relations

AS_A_PARENT = "child"
"""What a beneficiary is to a sharer who is their parent."""

IN_FORCE = frozenset({RelationState.ACTIVE, RelationState.SUSPENDED})


def of_age(person: Person, policy: Policy, today: date) -> bool:
    """Whether a person consents without a guardian. Who has no date of birth is taken for one."""
    born_on = person.identity.born_on
    if born_on is None:
        return True
    years = today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))
    return years >= policy.at(person.primary.pool_admdvs, today).consent_age


def refusal_of_consent(
    people: People,
    relations: Relations,
    person: Person,
    guardian_id: UUID | None,
    *,
    sharer_id: UUID,
    policy: Policy,
    today: date,
) -> Refusal | None:
    """Why a person's will does not count as it was said; `sharer_id` is the one who would share."""
    is_of_age = of_age(person, policy, today)
    if guardian_id is None:
        return None if is_of_age else ConsentRequired("a guardian has to consent")
    guardian = people.person(guardian_id)
    if guardian is None:
        return NotFound()
    if is_of_age:
        return ConsentRequired("who is of age consents in person")
    if not of_age(guardian, policy, today):
        return ConsentRequired("a guardian is of age")
    if guardian_id != sharer_id and not _is_a_parent(relations, guardian_id, person.person_id):
        return ConsentRequired("the guardian is the sharer or a parent")
    return None


def refusal_of_guardian(
    people: People,
    relations: Relations,
    person_id: UUID,
    guardian_id: UUID | None,
    *,
    sharer_id: UUID,
    policy: Policy,
    today: date,
) -> Refusal | None:
    """Why somebody may not speak for another. Leaving needs no guardian, at any age (R3)."""
    person = people.person(person_id)
    assert person is not None
    if guardian_id is None:
        return None
    return refusal_of_consent(
        people, relations, person, guardian_id, sharer_id=sharer_id, policy=policy, today=today
    )


def _is_a_parent(relations: Relations, guardian_id: UUID, child_id: UUID) -> bool:
    known = relations.between(guardian_id, child_id)
    return known is not None and known.state in IN_FORCE and known.kind == AS_A_PARENT
