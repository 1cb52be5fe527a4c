"""Waiting for a condition with a deadline, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

SETTLED_SECONDS = 40.0
"""Conversations settle within 10 s on a local stack; tests share two cores with one another, and
a machine with others. What came in time costs no wait."""

SOONEST_SECONDS, LATEST_SECONDS = 0.03, 0.25
"""Between two looks: what has not happened soon is looked for less often."""


async def until(
    ask: Callable[[], Awaitable[T | None]], what: str, within: float = SETTLED_SECONDS
) -> T:
    """The first answer that is neither None nor False; fails after `within` seconds."""
    deadline, pause = time.monotonic() + within, SOONEST_SECONDS
    while True:
        found = await ask()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        # What is waited for happens in other processes, and has no event that we could await.
        await asyncio.sleep(pause)
        pause = min(1.2 * pause, LATEST_SECONDS)


async def until_so(ask: Callable[[], bool], what: str, within: float = SETTLED_SECONDS) -> None:
    """The same for what can be seen at once."""

    async def asking() -> bool:
        return ask()

    await until(asking, what, within)
