"""How far a consumer has come: by the clock where it is at the end, by its records where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from kit.kafka import Broker
from kit.progress import Reached
from kit.work import Job, Outcome
from tests.conftest import MakeDatabase
from tests.support.kit import Tally, Teller, broker_with, running, tally_in, teller, until
from tests.support.kit_consumer import consumer_of, told


@pytest.fixture
async def tally(make_database: MakeDatabase) -> AsyncIterator[Tally]:
    async with tally_in(make_database("progress")) as one:
        yield one


@pytest.fixture
async def broker(kafka_bootstrap: str, topic_prefix: str) -> Broker:
    return await broker_with(kafka_bootstrap, topic_prefix, "tells", "dead.tally")


@pytest.fixture
async def tell(broker: Broker) -> AsyncIterator[Teller]:
    async with teller(broker, "tells") as one:
        yield one


class Book:
    """What was told, with `failing` being what the next ones meet."""

    def __init__(self) -> None:
        self.reached: dict[tuple[str, int], datetime] = {}
        self.failing: Exception | None = None
        self.tries = 0

    async def keep(self, reached: Reached) -> None:
        self.tries += 1
        if self.failing is not None:
            raise self.failing
        self.reached |= reached

    async def is_past(self, moment: datetime) -> bool:
        return len(self.reached) == 2 and min(self.reached.values()) > moment


async def test_all_partitions_come_to_now_also_those_that_bring_nothing(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    book = Book()
    async with running(consumer_of(tally, broker, progress=book.keep)):
        await tell.add("a", 1)
        await told(tally, 1)
        moment = datetime.now(UTC)
        await until(lambda: book.is_past(moment))
        assert {topic for topic, _ in book.reached} == {"tells"}, "without the stack's prefix"
        assert max(book.reached.values()) <= datetime.now(UTC)


async def test_what_waits_is_not_counted_as_read(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    book, gate, door = Book(), asyncio.Event(), tally.door()

    async def slowly(_cell: int, jobs: Sequence[Job]) -> list[Outcome]:
        await gate.wait()
        return await door.perform(jobs)

    async with running(consumer_of(tally, broker, submit=slowly, progress=book.keep)):
        await until(lambda: book.is_past(datetime.now(UTC) - timedelta(minutes=1)))
        await tell.add("a", 1)
        added_at = datetime.now(UTC)
        await asyncio.sleep(1.5)  # Nothing must happen in it.
        assert min(book.reached.values()) < added_at
        gate.set()
        await until(lambda: book.is_past(added_at))


async def test_a_database_that_is_away_costs_no_record(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    book = Book()
    book.failing = asyncpg.CannotConnectNowError("away")

    async def was_tried() -> bool:
        return book.tries > 1

    async with running(consumer_of(tally, broker, progress=book.keep)):
        await tell.add("a", 1)
        assert await told(tally, 1) == {"a": [1]}
        await until(was_tried)
        book.failing = None
        moment = datetime.now(UTC)
        await until(lambda: book.is_past(moment))
