"""A record that our Kafka client cannot unpack hurts itself alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from kafka import KafkaProducer

from kit.dead_letters import DeadLetters
from kit.kafka import Broker
from kit.parking import Note, Parking
from kit.records import Raw, cloud_event_headers
from kit.refusal import Unavailable
from tests.conftest import MakeDatabase
from tests.support.kit import Tally, broker_with, header, published, running, tally_in, until
from tests.support.kit_consumer import (
    READING,
    committed,
    consumer_of,
    has_become,
    told,
    waiting,
    waits,
)


@pytest.fixture
async def tally(make_database: MakeDatabase) -> AsyncIterator[Tally]:
    async with tally_in(make_database("unreadable")) as one:
        yield one


@pytest.fixture
async def broker(kafka_bootstrap: str, topic_prefix: str) -> Broker:
    return await broker_with(kafka_bootstrap, topic_prefix, "tells", "dead.tally")


class NotUtf8(str):
    """A header's name that goes out as bytes that are no text; other clients can do that."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe" + super().encode(encoding, errors)


BAD = (0, "a", 0)


def say(broker: Broker, said: Sequence[tuple[int, str, int]]) -> None:
    """Put (partition, key, amount) on the topic, in as few batches as can be; 0 is unreadable."""
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, linger_ms=100)
    last: dict[str, int] = {}
    sent = []
    for partition, key, amount in said:
        bad = amount == 0
        if not bad:
            last[key] = last.get(key, 0) + 1
        headers = cloud_event_headers(
            id=f"{key}-{amount}",
            type="tally.added.v1",
            source="/teller",
            subject=None,
            time=datetime.now(UTC),
            sequence=None if bad else last[key],
            traceparent=None,
        )
        sent.append(
            producer.send(
                broker.physical("tells"),
                key=key.encode(),
                value=b'{"amount": %d}' % amount,
                headers=[*headers, (NotUtf8("x"), b"1")] if bad else headers,
                partition=partition,
            )
        )
    for each in sent:
        each.get(10)
    producer.close()


async def test_one_unreadable_record_is_parked_and_all_others_are_performed(
    tally: Tally, broker: Broker
) -> None:
    said = [(0, "a", 1), (1, "b", 10), BAD, (0, "a", 2), (1, "b", 20), BAD, BAD, (0, "a", 3)]
    await asyncio.to_thread(say, broker, said)
    async with running(consumer_of(tally, broker)):
        assert await told(tally, 5) == {"a": [1, 2, 3], "b": [10, 20]}
        await until(lambda: has_become(committed(broker), 8))
        await asyncio.to_thread(say, broker, [(1, "c", 5), BAD, (0, "d", 6)])
        found = await told(tally, 7)
        assert (found["c"], found["d"]) == ([5], [6])
        await until(lambda: has_become(committed(broker), 11))
    rows = await Parking(pool=tally.pool).all_waiting()
    assert [(row.raw.partition, row.raw.offset) for row in rows] == [(0, 1), (0, 3), (0, 4), (0, 6)]
    assert {row.reason for row in rows} == {"unreadable"}
    assert rows[0].raw == Raw(
        topic="tells", partition=0, offset=1, key_bytes=None, headers=(), value=None
    )
    letters = DeadLetters(service="tally", parking=Parking(pool=tally.pool), broker=broker)
    assert await letters.publish_once() == 4
    [first, *_] = await published(broker, "dead.tally")
    assert header(first, "dead_reason") == "unreadable"
    assert header(first, "dead_offset") == "1"


async def test_many_records_lie_before_it(tally: Tally, broker: Broker) -> None:
    many = list(range(1, 26))
    said = [*[(p, "ab"[p], n) for n in many for p in (0, 1)], BAD, (1, "b", 26), (0, "a", 26)]
    await asyncio.to_thread(say, broker, said)
    async with running(consumer_of(tally, broker, most_records=10)):
        assert await told(tally, 52) == {"a": [*many, 26], "b": [*many, 26]}
        assert await waits(tally, 1) == [("", "unreadable")]


async def test_whoever_leaves_bad_records_to_others_leaves_it_too(
    tally: Tally, broker: Broker
) -> None:
    await asyncio.to_thread(say, broker, [(0, "a", 1), BAD, (0, "a", 2)])
    async with running(consumer_of(tally, broker, reading=replace(READING, parks_bad=False))):
        assert await told(tally, 2) == {"a": [1, 2]}
        await until(lambda: has_become(committed(broker), 3))
    assert await waiting(tally) == []


@dataclass(frozen=True, slots=True, kw_only=True)
class AwayParking(Parking):
    """Parks nothing until it is back."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    back: asyncio.Event = field(default_factory=asyncio.Event)

    async def park(self, notes: Sequence[Note]) -> list[Raw]:
        self.asked.set()
        if not self.back.is_set():
            raise Unavailable("the database is away")
        return await Parking.park(self, notes)


async def test_its_offset_is_committed_only_when_it_is_parked(tally: Tally, broker: Broker) -> None:
    await asyncio.to_thread(say, broker, [BAD, (0, "a", 1)])
    consumer = consumer_of(tally, broker)
    away = AwayParking(pool=tally.pool)
    consumer.delivery = replace(consumer.delivery, parking=away)
    async with running(consumer):
        await asyncio.wait_for(away.asked.wait(), 20)
        assert await committed(broker) == 0
        assert await waiting(tally) == []
    consumer = consumer_of(tally, broker)
    consumer.delivery = replace(consumer.delivery, parking=away)
    async with running(consumer):
        away.back.set()
        assert await told(tally, 1) == {"a": [1]}
        await until(lambda: has_become(committed(broker), 2))
    assert await waiting(tally) == [("", "unreadable")]
