"""Loops: they die alone, come back, and end when asked."""

from __future__ import annotations

import asyncio
import time

import pytest

from kit.consume import LOOK_FOR_STALL_EVERY_SECONDS, ConsumerStalled, _Watch
from kit.health import Health, Heart
from kit.loops import happens, looping
from kit.refusal import Unavailable
from kit.sweep import Sweep


class Mortal:
    name = "mortal"
    within = 0.05

    def __init__(self, lives: int, cause: BaseException | None = None) -> None:
        self.lives = lives
        self.cause = cause or RuntimeError("dead again")
        self.lived = asyncio.Event()

    async def run(self, heart: Heart, stopping: asyncio.Event) -> None:
        self.lives -= 1
        if self.lives > 0:
            raise self.cause
        heart.beat()
        self.lived.set()
        await stopping.wait()


async def test_a_loop_that_dies_is_started_again_and_its_silence_is_seen() -> None:
    health = Health()
    mortal = Mortal(lives=3)
    async with looping([mortal], health):
        await asyncio.sleep(0.1)
        assert list(health.silent()) == ["mortal"]
        await asyncio.wait_for(mortal.lived.wait(), 5)
        assert health.silent() == {}
    assert health.loops() == []


async def test_a_cancellation_that_nobody_asked_for_is_a_death_like_others() -> None:
    mortal = Mortal(lives=2, cause=asyncio.CancelledError())
    async with looping([mortal], Health()):
        await asyncio.wait_for(mortal.lived.wait(), 5)


async def test_loops_wait_for_what_they_need_and_need_not_start_at_all() -> None:
    needed = asyncio.Event()
    waiting = Mortal(lives=1)
    async with looping([waiting], Health(), after=needed):
        assert not await happens(waiting.lived, 0.2)
        needed.set()
        assert await happens(waiting.lived, 1)
    never = Mortal(lives=1)
    async with looping([never], Health(), after=asyncio.Event()):
        pass
    assert not never.lived.is_set()


async def test_a_sweep_is_postponed_by_what_passes_and_goes_on() -> None:
    asked: list[float] = []

    async def sweep() -> None:
        asked.append(time.monotonic())
        if len(asked) == 1:
            raise Unavailable("later")

    health = Health()
    async with looping([Sweep(name="due", every_seconds=0.05, sweep=sweep)], health):
        await asyncio.sleep(0.3)
        assert health.silent() == {}
    assert len(asked) >= 3


class Client:
    """A Kafka client that says where it stands."""

    def __init__(self) -> None:
        self.at, self.end = 5, 5

    def assignment(self) -> set[str]:
        return {"p"}

    async def end_offsets(self, partitions: list[str]) -> dict[str, int]:
        return dict.fromkeys(partitions, self.end)

    async def position(self, _partition: str) -> int:
        return self.at


async def test_a_client_that_silently_brings_nothing_is_noticed() -> None:
    client = Client()
    watch = _Watch(client)

    async def look() -> None:
        watch._looked_at -= LOOK_FOR_STALL_EVERY_SECONDS
        await watch.look()

    await look()
    await look()
    client.end = 6
    await look()
    client.at = 6
    client.end = 7
    await look()
    with pytest.raises(ConsumerStalled):
        await look()
