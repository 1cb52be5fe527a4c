"""Everybody who takes part in the story, and where they are reached."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import httpx

from sandbox.citizen import Citizen
from sandbox.clerk import Clerk
from sandbox.institution import Institution, institution_of
from sandbox.patience import Reply, insist, reply_of

T = TypeVar("T")

SETTLED_SECONDS = 180.0
"""How long a conversation with a province may take, with a process killed, on a busy machine."""
LOOK_EVERY_SECONDS = 0.05


class Broken(Exception):
    """The story did not go as it has to."""


def expect(holds: bool, otherwise: str) -> None:
    """Raise Broken unless it holds."""
    if not holds:
        raise Broken(otherwise)


async def until(look: Callable[[], Awaitable[T | None]], what: str) -> T:
    """Look again and again until there is something to see. Raises Broken when time is up."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        found = await look()
        if found is not None:
            return found
        expect(time.monotonic() < deadline, f"not within {SETTLED_SECONDS:g} s: {what}")
        # The public routes have no call that waits.
        await asyncio.sleep(LOOK_EVERY_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    balance_fen: int
    frozen_fen: int
    spendable_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """One stack, as its file describes it; the file is read again whenever pids are asked for."""

    file: Path
    stack: dict[str, Any]
    client: httpx.AsyncClient

    @classmethod
    def at(cls, file: Path, client: httpx.AsyncClient) -> Town:
        return cls(file=file, stack=read_stack(file), client=client)

    def pid(self, name: str) -> int | None:
        """The pid under which a process runs now; None while it is being started."""
        pid = read_stack(self.file)["pids"].get(name)
        return None if pid is None else int(pid)

    def names(self) -> list[str]:
        """The processes of the stack."""
        return list(self.stack["pids"])

    def institution(self, code: str) -> Institution:
        """Raises Broken where the stack does not know it."""
        known = code in self.stack["institutions"]
        expect(known, f"the stack has no institution {code}: `make down`, then once more")
        return institution_of(self.stack, code, self.client)

    async def person(
        self,
        *,
        insutype: str,
        insuplc_admdvs: str,
        province: str,
        balance_fen: int,
        born_on: date,
        retired: bool = False,
    ) -> Citizen:
        """Somebody new, with a token."""
        wanted = {
            "insutype": insutype,
            "insuplc_admdvs": insuplc_admdvs,
            "balance_fen": balance_fen,
            "born_on": born_on.isoformat(),
            "retired": retired,
        }
        person = (await self._sandbox("POST", "/people", wanted)).json()
        asked = {"psn_no": person["psn_no"], "pool_admdvs": insuplc_admdvs}
        token = (await self._sandbox("POST", "/tokens", asked)).json()["token"]
        return Citizen(
            psn_no=person["psn_no"],
            name=person["name"],
            psn_cert_type=person["psn_cert_type"],
            cert_no=person["cert_no"],
            insutype=insutype,
            insuplc_admdvs=insuplc_admdvs,
            province=province,
            token=token,
            gateway=self.stack["gateway"],
            client=self.client,
        )

    async def clerk(self, role: str) -> Clerk:
        """The clerk who has this role on the stack, with a token."""
        name = self.stack["clerks"][role]
        given = await self._sandbox("POST", "/tokens", {"clerk": name, "roles": [role]})
        return Clerk(
            name=name,
            token=given.json()["token"],
            gateway=self.stack["gateway"],
            client=self.client,
        )

    async def ec_code(self, citizen: Citizen) -> str:
        """What the citizen's phone shows at the counter."""
        reply = await self._sandbox("POST", "/ec-codes", {"psn_no": citizen.psn_no})
        return str(reply.json()["value"])

    async def behave(self, province: str, **how: object) -> None:
        """How a province behaves from now on; what is left out is well-behaved."""
        await self._sandbox("PUT", f"/provinces/{province}/behaviour", how)

    async def insure(self, citizen: Citizen, status: str) -> None:
        """Their province tells what becomes of somebody's insurance, from today on."""
        path = f"/provinces/{citizen.province}/enrolments"
        await self._sandbox("POST", path, {"psn_no": citizen.psn_no, "status": status})

    async def account(self, citizen: Citizen) -> Account:
        """The account at the citizen's own province."""
        path = f"/provinces/{citizen.province}/accounts/{citizen.psn_no}"
        return Account(**(await self._sandbox("GET", path)).json())

    async def _sandbox(self, method: str, path: str, body: object = None) -> Reply:
        async def once() -> httpx.Response:
            return await self.client.request(method, self.stack["sandbox"] + path, json=body)

        reply = reply_of(*await insist(once, within_seconds=SETTLED_SECONDS))
        expect(reply.status < 300, f"{method} {path} of the sandbox: {reply.text}")
        return reply


def read_stack(file: Path) -> dict[str, Any]:
    stack: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return stack
