"""A family at rest, and requests of which each has to be refused by its name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.support.town import Town
from tests.support.town_bad_input import Routes
from tests.support.town_clerks import Clerk, clerk_of
from tests.support.town_families import Family, family_of
from tests.support.town_people import Said, new_key

AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A family that has paid once; nothing that follows may change a row."""

    town: Town
    family: Family
    payment: dict[str, Any]
    clerk: Clerk
    routes: Routes

    async def refuses(
        self, asked: Iterable[tuple[str, Awaitable[Said]]], code: str | None = None
    ) -> None:
        """Every one of them is refused by this name, or by the one its own name ends with."""
        doors = asyncio.Semaphore(AT_ONCE)

        async def ask(name: str, asking: Awaitable[Said]) -> str | None:
            async with doors:
                said = await asking
            wanted = code or name.rpartition(" → ")[2]
            right = 400 <= said.status < 500 and said.code == wanted
            return None if right else f"{name}: {said.status} {said.body[:160]!r}"

        answers = await asyncio.gather(*(ask(*each) for each in asked))
        wrong = [each for each in answers if each is not None]
        assert not wrong, "\n".join(wrong)


async def place_of(town: Town) -> Place:
    family = await family_of(town, available_fen=10_000)
    payment = (await town.counter().pay(family.token, 100)).of(201)
    clerk = await clerk_of(town.world, "clearing")
    return Place(
        town=town,
        family=family,
        payment=payment,
        clerk=clerk,
        routes=Routes(town, family, payment, clerk.token),
    )


def calls_of(command: dict[str, Any], person_id: str) -> dict[str, Any]:
    """A payment as the gateway hands it to the wallet."""
    call = {
        "caller": "institution:P65900200001",
        "person_id": person_id,
        "key": new_key(),
        "fingerprint": "0" * 64,
        "instance": "/v1/payments",
        "command": {"type": "pay", **command},
    }
    return {"calls": [call]}
