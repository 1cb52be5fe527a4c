"""For whom a citizen acts: for oneself, or as a guardian for somebody under age (R13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.internal import FindPerson, PersonFacts
from contracts.refusals import ConsentRequired
from contracts.vocabulary import RelationState, Role
from gateway.edge.endpoint import Asked
from gateway.edge.relations import Relations
from gateway.edge.routes import person_of
from gateway.edge.tokens import Citizen

IN_FORCE = (RelationState.ACTIVE, RelationState.SUSPENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Who asks, and whose will it is; they differ where a guardian asks."""

    asker: PersonFacts
    person: PersonFacts

    @property
    def guardian_id(self) -> UUID | None:
        return None if self.asker.person_id == self.person.person_id else self.asker.person_id


async def acting(
    relations: Relations, asked: Asked[Citizen, Any], on_behalf_of: str | None
) -> Acting:
    """Raises NotFound for somebody who is not known; who may speak for whom relations decides."""
    asker = await person_of(relations, asked)
    if on_behalf_of is None or on_behalf_of == asker.primary.psn_no:
        return Acting(asker=asker, person=asker)
    return Acting(asker=asker, person=await relations.find(FindPerson(psn_no=on_behalf_of)))


async def shares_with(relations: Relations, sharer_id: UUID, beneficiary_id: UUID) -> bool:
    """Whether somebody is known to share with another: what makes a guardian or a parent (R13)."""
    return any(
        relation.role is Role.SHARER
        and relation.beneficiary_id == beneficiary_id
        and relation.state in IN_FORCE
        for relation in await relations.relations_of(sharer_id)
    )


def require_consent(given: Acting) -> None:
    """Who is of age acts in person, who is not through somebody who is. Raises ConsentRequired."""
    if given.guardian_id is None:
        if not given.person.of_age:
            raise ConsentRequired("a guardian has to consent")
        return
    if given.person.of_age:
        raise ConsentRequired("on_behalf_of: who is of age consents in person")
    if not given.asker.of_age:
        raise ConsentRequired("on_behalf_of: a guardian is of age")
