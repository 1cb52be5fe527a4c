"""Relations, as the gateway asks it: who somebody is, and who is whose relative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts.internal import (
    Call,
    FindPerson,
    History,
    IdentifyPerson,
    PersonFacts,
    RelationOfPerson,
    RelationsOfPerson,
)
from gateway.edge.neighbours import Neighbour, batched, read, text_of
from kit.answers import Answer
from kit.refusal import NotFound


class Relations:
    """Certificates and numbers go in bodies, never in an address."""

    def __init__(self, neighbour: Neighbour, *, most: int, queue: int) -> None:
        self._neighbour = neighbour
        self._queue = batched(neighbour, most=most, queue=queue)

    async def identify(self, shown: IdentifyPerson) -> PersonFacts:
        """The person with this certificate, and this name where one is given. Raises NotFound."""
        found = read(PersonFacts, await self._neighbour.ask("/internal/persons/identify", shown))
        if found is None:
            raise NotFound("nobody with this certificate and name is known")
        return found

    async def find(self, wanted: FindPerson) -> PersonFacts:
        """The person with this number of the insured. Raises NotFound."""
        found = read(PersonFacts, await self._neighbour.ask("/internal/persons/find", wanted))
        if found is None:
            raise NotFound("the insured with this number is not known")
        return found

    async def relation(self, relation_id: UUID, person_id: UUID) -> RelationOfPerson:
        """A relation as one of its two sees it. Raises NotFound for everybody else."""
        text = await self._neighbour.get(
            f"/internal/relations/{relation_id}", {"person_id": str(person_id)}
        )
        found = read(RelationOfPerson, text)
        if found is None:
            raise NotFound
        return found

    async def relations_of(self, person_id: UUID) -> Sequence[RelationOfPerson]:
        """All relations of a person, newest first."""
        text = await self._neighbour.get("/internal/relations", {"person_id": str(person_id)})
        found = read(RelationsOfPerson, text)
        assert found is not None, "a person without relations has an empty list"
        return found.items

    async def history(self, name: str, *, caller: str | None, also: Sequence[UUID] = ()) -> History:
        """What became of relations and persons. Raises Busy and Unavailable."""
        return await self._neighbour.history(name, caller=caller, also=also)

    async def perform(self, call: Call[Any]) -> Answer:
        """Perform a command. Raises Busy and Unavailable."""
        return await self._queue.submit(text_of(call))

    async def close(self) -> None:
        await self._queue.close()
        self._neighbour.close()
