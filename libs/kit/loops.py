"""Loops: work that never ends, watched by a heart, restarted when it dies, stopped by asking."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import structlog
from prometheus_client import Counter

from kit.health import Health, Heart

log = structlog.get_logger("kit.loops")

DEATHS = Counter("loop_deaths_total", "Loops that died of an error and were restarted", ["loop"])

STOP_WITHIN_SECONDS = 25.0


class Loop(Protocol):
    """Something that runs until `stopping` is set and beats at least every `within` seconds."""

    @property
    def name(self) -> str: ...

    @property
    def within(self) -> float: ...

    async def run(self, heart: Heart, stopping: asyncio.Event) -> None:
        """Work; when asked to stop, finish what is in flight and return."""


async def supervise(loop: Loop, health: Health, stopping: asyncio.Event) -> None:
    """Run a loop until it was asked to stop; one that dies is started again after a pause.

    Nobody beats for a loop that keeps dying, so that `/healthz` tells.
    """
    heart = health.loop(loop.name, within=loop.within)
    pause = 0.2
    while not stopping.is_set():
        started = asyncio.get_running_loop().time()
        try:
            await loop.run(heart, stopping)
            break
        except (Exception, asyncio.CancelledError) as error:
            # Its death is told, counted and seen by /healthz; the process has other work to do.
            # Clients let cancellations of their own tasks out: only ours may end a loop.
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            DEATHS.labels(loop.name).inc()
            log.error("loop.died", loop=loop.name, exc_info=error)
            if asyncio.get_running_loop().time() - started > 60:
                pause = 0.2
            await happens(stopping, pause * random.uniform(0.8, 1.2))
            pause = min(pause * 2, 10.0)
    health.forget(loop.name)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@asynccontextmanager
async def looping(
    loops: Sequence[Loop], health: Health, *, after: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """Run loops meanwhile, once `after` has happened; on leaving, ask them to stop and wait."""
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(_later(each, health, stopping, after)) for each in loops]
    try:
        yield
    finally:
        stopping.set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_WITHIN_SECONDS)
            for task in late:
                log.error("loop.did_not_stop", task=task.get_coro())
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _later(
    loop: Loop, health: Health, stopping: asyncio.Event, after: asyncio.Event | None
) -> None:
    while after is not None and not after.is_set():
        if await happens(stopping, 0.05):
            return
    await supervise(loop, health, stopping)


async def happens(event: asyncio.Event, within: float) -> bool:
    """Wait for an event, but no longer than `within` seconds; whether it happened."""
    if event.is_set():
        return True
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True
