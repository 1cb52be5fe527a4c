"""Chaos: kill -9 of one process at the worst moment, and the proof that it died.

at the counter   while a payment is in flight, whichever process it is
at the cut       between cut and balance, of those on the way from one to the other
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import psutil

from sandbox.story.town import Town, expect, until

BETWEEN_CUT_AND_BALANCE = ("wallet", "kafka", "settlement")
"""Who tells a cell's control totals, who carries them, who holds them against the lines."""

REQUEST_LEFT = "http11.send_request_body.complete"
ANSWER_BEGINS = "http11.receive_response_headers.complete"

HTTP_SERVICES = ("gateway", "relations", "wallet", "settlement", "sandbox")


@dataclass(slots=True, kw_only=True)
class Killer:
    """Kills one process of the stack, once."""

    town: Town
    name: str
    killed: int | None = None
    killed_at: datetime | None = None
    was_created: float = field(default=0.0)

    async def at_the_counter(self, step: str, _: Mapping[str, Any]) -> None:
        """The trace of a request: kills when its last byte has left, before any answer."""
        if step == REQUEST_LEFT and self.killed is None:
            self.kill()

    async def at_the_cut(self, step: str, seen: Mapping[str, Any]) -> None:
        """The trace of a cut: kills the wallet as soon as it has cut, the others just before."""
        if self.name != "wallet":
            await self.at_the_counter(step, seen)
        elif step == ANSWER_BEGINS and self.killed is None:
            _, status, *_ = seen["return_value"]
            if status == 200:
                self.kill()

    def once_more(self) -> Killer:
        """Another one, for the same process."""
        return Killer(town=self.town, name=self.name)

    def kill(self) -> None:
        """kill -9 of the pid that the stack's file gives now."""
        pid = self.town.pid(self.name)
        expect(pid is not None, f"{self.name} is running")
        assert pid is not None
        self.was_created = psutil.Process(pid).create_time()
        os.kill(pid, signal.SIGKILL)
        self.killed, self.killed_at = pid, datetime.now(UTC)

    async def died(self) -> int:
        """The pid of the process that is no more. Raises Broken if it lives on."""
        expect(self.killed is not None, f"{self.name} was killed")
        killed = self.killed
        assert killed is not None

        async def gone() -> int | None:
            return None if self._lives(killed) else killed

        return await until(gone, f"{self.name} ({killed}) dies")

    def _lives(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            same = process.create_time() == self.was_created
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    async def came_back(self) -> int:
        """The pid under which it runs again, once it is ready."""

        async def back() -> int | None:
            pid = self.town.pid(self.name)
            if pid is None or pid == self.killed or not psutil.pid_exists(pid):
                return None
            return pid if await self._ready() else None

        return await until(back, f"{self.name} comes back")

    async def _ready(self) -> bool:
        if self.name not in HTTP_SERVICES:
            # Servers have no route to ask; those that depend on them have.
            return all([await self._is_ready(name) for name in HTTP_SERVICES])
        return await self._is_ready(self.name)

    async def _is_ready(self, name: str) -> bool:
        try:
            response = await self.town.client.get(f"{self.town.stack[name]}/readyz")
        except httpx.TransportError:
            return False
        return response.status_code == 200
