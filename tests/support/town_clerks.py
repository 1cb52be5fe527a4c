"""A clerk of a town: somebody of an agency, with a token that says what the clerk may do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tests.support.town_people import JSON, Letter, Said, World, new_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk:
    world: World
    name: str
    token: str = field(repr=False)

    async def ask(
        self, method: str, path: str, told: object = None, *, key: str | None = None
    ) -> Said:
        sent = {"authorization": f"Bearer {self.token}"}
        if method == "POST":
            sent["idempotency-key"] = key or new_key()
        if told is not None:
            sent["content-type"] = JSON
        body = b"" if told is None else json.dumps(told).encode()
        return await self.world.messenger.ask(
            lambda: Letter(method=method, url=self.world.gateway + path, headers=sent, body=body)
        )


async def clerk_of(world: World, *roles: str, name: str = "林清算") -> Clerk:
    given = await world.ask("POST", "/tokens", {"clerk": name, "roles": list(roles)})
    return Clerk(world=world, name=name, token=given["token"])
