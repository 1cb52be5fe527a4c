"""Sweeps: chores done every so often, such as submitting commands for what has fallen due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from kit.health import Heart
from kit.loops import happens
from kit.postgres import is_passing
from kit.refusal import Busy, Unavailable

log = structlog.get_logger("kit.sweep")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Runs `sweep` every `every_seconds`, the first time at once; it takes `longest_seconds`."""

    name: str
    every_seconds: float
    sweep: Callable[[], Awaitable[object]]
    longest_seconds: float = 60.0

    @property
    def within(self) -> float:
        return self.every_seconds + self.longest_seconds

    async def run(self, heart: Heart, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            heart.beat()
            try:
                await self.sweep()
            except Exception as error:
                if not (isinstance(error, Busy | Unavailable) or is_passing(error)):
                    raise
                log.warning("sweep.postponed", sweep=self.name, error=repr(error))
            await happens(stopping, self.every_seconds)
