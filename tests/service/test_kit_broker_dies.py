"""Kafka killed and back again: nobody restarts relay or consumer, and nothing is lost."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.local.jars import ensure_jars
from deploy.local.kafka import Broker as LocalBroker
from deploy.local.ports import free_port
from deploy.local.program import await_ready
from kit.consume import Consumer
from kit.deliver import Reading
from kit.parking import Parking
from kit.relay import Relay
from kit.work import Job, Outcome
from tests.conftest import MakeDatabase
from tests.support.keeper import ROOT
from tests.support.kit import Tally, added, broker_with, running, tally_in, until, write_facts

pytestmark = pytest.mark.long


class Killable:
    """A Kafka of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.local = LocalBroker(
            folder=folder,
            jars=ensure_jars(ROOT / "var" / "kafka-jars"),
            port=free_port(),
            controller_port=free_port(),
            log=folder / "kafka.log",
        )
        self.local.create()
        self.program = self.local.program()

    async def start(self) -> None:
        self.child = self.program.start()
        await asyncio.to_thread(await_ready, self.program, self.child, 60)

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[Killable]:
    killable = Killable(tmp_path / "kafka")
    await killable.start()
    yield killable
    killable.kill()


@pytest.fixture
async def tally(make_database: MakeDatabase) -> AsyncIterator[Tally]:
    async with tally_in(make_database("broker_dies")) as one:
        yield one


@pytest.mark.timeout(240)
async def test_relay_and_consumer_heal_by_themselves(tally: Tally, kafka: Killable) -> None:
    broker = await broker_with(kafka.local.bootstrap, "", "tells")
    door = tally.door()

    async def perform(_cell: int, jobs: Sequence[Job]) -> list[Outcome]:
        return await door.perform(jobs)

    consumer = Consumer(
        name="consumer",
        group="tally",
        topics=["tells"],
        reading=Reading(handlers={"tally.added.v1": added}),
        submit=perform,
        broker=broker,
        parking=Parking(pool=tally.pool),
    )
    relay = Relay(dsn=tally.dsn, cell=0, source="/tally/cell-0", broker=broker)
    keys = [f"k{n}" for n in range(10)]
    written = 0

    async def all_there() -> bool:
        return sum(map(len, (await tally.all_amounts()).values())) == written

    async with AsyncExitStack() as stack:
        for loop in (relay, consumer):
            await stack.enter_async_context(running(loop))
        for _ in range(2):
            await write_facts(tally.pool, "tells", keys * 10)
            written += 100
            await until(all_there, within=40)
            kafka.kill()
            # What is written meanwhile waits in the outbox.
            for _ in range(5):
                await write_facts(tally.pool, "tells", keys * 2)
                written += 20
                await asyncio.sleep(1)
            await kafka.start()
            await until(all_there, within=60)
    assert {key: len(found) for key, found in (await tally.all_amounts()).items()} == dict.fromkeys(
        keys, written // len(keys)
    )
    assert await Parking(pool=tally.pool).all_waiting() == []
