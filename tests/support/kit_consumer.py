"""What tests of the consumer share: a consumer of the tally, and what became of its records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from kit.consume import Consumer
from kit.deliver import Reading
from kit.kafka import Broker
from kit.parking import Parking
from kit.progress import TellReached
from kit.work import Job, Outcome
from tests.support.kit import Tally, added, until

READING = Reading(
    handlers={"tally.added.v1": added},
    ignores={"tally.shown.v1"},
    belongs=lambda record: record.source == "/teller",
)


def consumer_of(
    tally: Tally,
    broker: Broker,
    *,
    kind: type[Consumer] = Consumer,
    reading: Reading = READING,
    submit: Any = None,
    most_records: int = 200,
    progress: TellReached | None = None,
) -> Consumer:
    door = tally.door()

    async def perform(_cell: int, jobs: Sequence[Job]) -> list[Outcome]:
        return await door.perform(jobs)

    return kind(
        name="consumer",
        group="tally",
        topics=["tells"],
        reading=reading,
        submit=submit or perform,
        broker=broker,
        parking=Parking(pool=tally.pool),
        most_records=most_records,
        progress=progress,
    )


async def committed(broker: Broker) -> int:
    """How far the group has committed, over both partitions."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers,
        group_id=broker.physical("tally"),
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        name = broker.physical("tells")
        return sum([await consumer.committed(TopicPartition(name, n)) or 0 for n in (0, 1)])
    finally:
        await consumer.stop()


async def told(tally: Tally, count: int) -> dict[str, list[int]]:
    async def all_of_it() -> dict[str, list[int]] | None:
        found = await tally.all_amounts()
        return found if sum(map(len, found.values())) >= count else None

    found: dict[str, list[int]] = await until(all_of_it)
    return found


async def waiting(tally: Tally) -> list[tuple[str, str]]:
    rows = await Parking(pool=tally.pool).all_waiting()
    return [(row.raw.key, row.reason) for row in rows]


async def waits(tally: Tally, count: int) -> list[tuple[str, str]]:
    async def enough() -> list[tuple[str, str]] | None:
        found = await waiting(tally)
        return found if len(found) >= count else None

    found: list[tuple[str, str]] = await until(enough)
    return found


async def has_become(what: Any, value: object) -> bool:
    return bool(await what == value)
