"""Health by progress: a loop that stopped beating is dead, however alive its process looks.

`/healthz` asks whether every loop made progress lately; `/readyz` whether what requests depend on
can be reached. They differ on purpose: an unreachable database must not get the process killed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("kit.health")

Check = Callable[[], Awaitable[None]]
"""Returns when the dependency is there, raises when it is not."""

CHECK_SECONDS = 2.0


class Heart:
    """A loop's sign of life: it beats whenever it went round, at least every `within` seconds."""

    __slots__ = ("_beaten_at", "name", "within")

    def __init__(self, name: str, within: float) -> None:
        self.name = name
        self.within = within
        self.beat()

    def beat(self) -> None:
        self._beaten_at = time.monotonic()

    @property
    def silent_seconds(self) -> float:
        return time.monotonic() - self._beaten_at


class Health:
    """What a process knows about itself: its loops' hearts and its dependencies' checks."""

    def __init__(self) -> None:
        self._hearts: dict[str, Heart] = {}
        self._checks: dict[str, Check] = {}
        self.draining = False

    def loop(self, name: str, *, within: float) -> Heart:
        """Expect a beat from loop `name` every `within` seconds, from now on."""
        heart = self._hearts[name] = Heart(name, within)
        return heart

    def forget(self, name: str) -> None:
        """The loop ended as it should."""
        self._hearts.pop(name, None)

    def require(self, name: str, check: Check) -> None:
        """Be ready only while `check` passes."""
        self._checks[name] = check

    def silent(self) -> dict[str, float]:
        """Loops that have not beaten in time, and for how many seconds."""
        return {
            heart.name: round(heart.silent_seconds, 1)
            for heart in self._hearts.values()
            if heart.silent_seconds > heart.within
        }

    def loops(self) -> list[str]:
        return sorted(self._hearts)

    async def missing(self) -> dict[str, str]:
        """Dependencies that cannot be had now, and why, by the name of the error."""
        if self.draining:
            return {"process": "draining"}
        names = list(self._checks)
        found = await asyncio.gather(*(self._ask(self._checks[name]) for name in names))
        return {name: why for name, why in zip(names, found, strict=True) if why is not None}

    async def _ask(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await check()
        except Exception as error:  # Any failure of a check is its answer.
            return str(error) if isinstance(error, NotReady) else type(error).__name__
        return None


class NotReady(Exception):
    """A dependency answers, but not as this process needs it to."""
