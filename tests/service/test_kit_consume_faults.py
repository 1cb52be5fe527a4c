"""The consumer when things die: once and in order all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from kit.consume import Consumer
from kit.kafka import Broker
from kit.refusal import Unavailable
from kit.work import Job, Outcome
from tests.conftest import MakeDatabase
from tests.support.kit import Tally, Teller, broker_with, running, tally_in, teller, until
from tests.support.kit_consumer import (
    committed,
    consumer_of,
    has_become,
    told,
    waiting,
)


@pytest.fixture
async def tally(make_database: MakeDatabase) -> AsyncIterator[Tally]:
    async with tally_in(make_database("consume")) as one:
        yield one


@pytest.fixture
async def broker(kafka_bootstrap: str, topic_prefix: str) -> Broker:
    return await broker_with(kafka_bootstrap, topic_prefix, "tells", "dead.tally")


@pytest.fixture
async def tell(broker: Broker) -> AsyncIterator[Teller]:
    async with teller(broker, "tells") as one:
        yield one


class ForgetsToCommit(Consumer):
    """Dies once after the database has committed and before Kafka has."""

    died = False

    async def _commit(self, client: Any, offsets: Any) -> None:
        if not self.died:
            self.died = True
            raise KafkaError("the connection is gone")
        await super()._commit(client, offsets)


async def test_a_death_between_the_two_commits_performs_nothing_twice(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    for n in range(1, 6):
        await tell.add("a", n, sequence=n)
    consumer = consumer_of(tally, broker, kind=ForgetsToCommit)
    async with running(consumer):
        await told(tally, 5)
        await tell.add("a", 6, sequence=6)
        found = await told(tally, 6)
    assert isinstance(consumer, ForgetsToCommit)
    assert consumer.died
    assert found == {"a": [1, 2, 3, 4, 5, 6]}
    assert await committed(broker) == 6


async def test_everything_delivered_again_changes_nothing(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    for _ in range(3):
        for n in range(1, 6):
            await tell.add("a", n, sequence=n)
    async with running(consumer_of(tally, broker, most_records=4)):
        await told(tally, 5)
        await until(lambda: has_become(committed(broker), 15))
    assert await tally.amounts("a") == [1, 2, 3, 4, 5]


async def test_an_unavailable_database_is_waited_for_without_losing_or_committing(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    door = tally.door()
    calls = 0
    seen_committed: list[int] = []

    async def submit(_cell: int, jobs: Sequence[Job]) -> list[Outcome]:
        nonlocal calls
        calls += 1
        if calls <= 4:
            seen_committed.append(await committed(broker))
            raise Unavailable("the database did not answer")
        return await door.perform(jobs)

    for n in range(1, 11):
        await tell.add("a", n, sequence=n)
    async with running(consumer_of(tally, broker, submit=submit)):
        assert await told(tally, 10) == {"a": list(range(1, 11))}
        await tell.add("a", 11, sequence=11)
        await told(tally, 11)
    assert seen_committed == [0, 0, 0, 0]
    assert await committed(broker) == 11


async def test_connections_killed_all_the_time_lose_and_double_nothing(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    async with running(consumer_of(tally, broker, most_records=3)):
        for n in range(1, 41):
            await tell.add("a", n, sequence=n)
            if n % 8 == 0:
                await tally.pool.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        assert (await told(tally, 40))["a"] == list(range(1, 41))
    assert await waiting(tally) == []


async def test_two_consumers_and_a_forced_rebalance_lose_and_double_nothing(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    keys = [f"k{n}" for n in range(10)]
    sent: dict[str, int] = dict.fromkeys(keys, 0)
    over = asyncio.Event()

    async def keep_telling() -> None:
        while not over.is_set():
            for key in keys:
                sent[key] += 1
                await tell.add(key, sent[key], sequence=sent[key])

    async def more() -> bool:
        return sum(map(len, (await tally.all_amounts()).values())) >= goal

    async with running(consumer_of(tally, broker, most_records=7)):
        talking = asyncio.create_task(keep_telling())
        goal = 50
        await until(more)
        for _ in range(3):
            # Each coming and each going takes partitions away from the first.
            async with running(consumer_of(tally, broker, most_records=7)):
                goal = sum(sent.values()) + 50
                await until(more)
        over.set()
        await talking
        goal = sum(sent.values())
        await until(more)
    assert await tally.all_amounts() == {key: list(range(1, sent[key] + 1)) for key in keys}
    assert await waiting(tally) == []
    await until(lambda: has_become(committed(broker), sum(sent.values())))


async def test_a_consumer_that_is_stopped_finishes_and_commits_what_it_has_in_hand(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    door = tally.door()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def submit(_cell: int, jobs: Sequence[Job]) -> list[Outcome]:
        begun.set()
        await go_on.wait()
        return await door.perform(jobs)

    await tell.add("a", 1, sequence=1)
    async with AsyncExitStack() as stack:
        stopping = await stack.enter_async_context(
            running(consumer_of(tally, broker, submit=submit))
        )
        await begun.wait()
        stopping.set()
        await asyncio.sleep(0.05)
        go_on.set()
    assert await tally.amounts("a") == [1]
    assert await committed(broker) == 1
