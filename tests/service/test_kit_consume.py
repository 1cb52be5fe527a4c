"""The consumer on real PostgreSQL and Kafka: in order, and one bad record hurts one key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaProducer

from kit.dead_letters import DeadLetters
from kit.deliver import Reading
from kit.kafka import Broker
from kit.parking import Parking
from kit.records import cloud_event_headers
from tests.conftest import MakeDatabase
from tests.support.kit import (
    Tally,
    Teller,
    broker_with,
    header,
    published,
    running,
    tally_in,
    teller,
    until,
)
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
    async with tally_in(make_database("consume")) as one:
        yield one


@pytest.fixture
async def broker(kafka_bootstrap: str, topic_prefix: str) -> Broker:
    return await broker_with(kafka_bootstrap, topic_prefix, "tells", "dead.tally")


@pytest.fixture
async def tell(broker: Broker) -> AsyncIterator[Teller]:
    async with teller(broker, "tells") as one:
        yield one


async def test_records_are_performed_in_order_and_their_offsets_committed(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    for n in range(1, 21):
        await tell.add("a", n * 100, sequence=n)
        await tell.add("b", n * 100)
    async with running(consumer_of(tally, broker)):
        found = await told(tally, 40)
    assert found == {"a": [n * 100 for n in range(1, 21)], "b": [n * 100 for n in range(1, 21)]}
    assert await committed(broker) == 40
    assert await waiting(tally) == []


@pytest.mark.parametrize(
    ("body", "told_as", "reason"),
    [
        (b"{", {}, "bad-json"),
        (b"\xff\xfe", {}, "bad-json"),
        (b'{"amount": "1"}', {}, "bad-body"),
        (b"x" * (2 << 20), {}, "too-large"),
        (b'{"amount": 1}', {"type": "tally.unheard.v9"}, "unknown-type"),
        (b'{"amount": 1}', {"source": "/forger"}, "foreign-source"),
        (b'{"amount": 1}', {"headers": []}, "not-a-cloud-event"),
        (b'{"amount": 1}', {"headers": [("ce_id", b"\xff")]}, "not-a-cloud-event"),
        (b'{"amount": 1}', {"id": "x" * 600}, "not-a-cloud-event"),
    ],
)
async def test_poison_parks_its_key_and_no_other(  # noqa: PLR0917 -- pytest passes by name
    tally: Tally, broker: Broker, tell: Teller, body: bytes, told_as: dict[str, Any], reason: str
) -> None:
    await tell.add("bad", 1)
    await tell.tell("bad", body, **told_as)
    await tell.add("bad", 3)
    for n in range(20):
        await tell.add(f"good{n}", 100 + n)
    async with running(consumer_of(tally, broker)):
        assert await waits(tally, 2) == [("bad", reason), ("bad", "behind")]
        found = await told(tally, 21)
        await until(lambda: has_become(committed(broker), 23))
        await tell.add("bad", 4)
        assert (await waits(tally, 3))[2] == ("bad", "behind")
    assert found["bad"] == [1]
    assert len(found) == 21


@pytest.mark.parametrize("codec", ["gzip", "lz4"])
async def test_whoever_compresses_is_read_like_everybody_else(
    tally: Tally, broker: Broker, codec: str
) -> None:
    def produce() -> None:
        stranger = KafkaProducer(
            bootstrap_servers=broker.bootstrap_servers, compression_type=codec, linger_ms=100
        )
        for n in range(1, 11):
            body = b'{"amount": %d, "more": "%s"}' % (n, b"x" * 1_000)
            headers = cloud_event_headers(
                id=str(n),
                type="tally.added.v1",
                source="/teller",
                subject=None,
                time=datetime.now(UTC),
                sequence=n,
                traceparent=None,
            )
            stranger.send(broker.physical("tells"), key=b"a", value=body, headers=headers)
        stranger.close()

    await asyncio.to_thread(produce)
    async with running(consumer_of(tally, broker)):
        assert await told(tally, 10) == {"a": list(range(1, 11))}


async def test_a_record_without_a_key_is_parked_and_not_lost(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    await tell.tell(None, b'{"amount": 1}')
    async with running(consumer_of(tally, broker)):
        assert await waits(tally, 1) == [("", "no-key")]


async def test_what_breaks_is_parked_by_the_name_of_its_error_and_redriven_once(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    # With sequences and without, the broken first among its poll.
    for n, amount in enumerate([666, 14, 15], start=1):
        await tell.add("counted", amount, sequence=n)
        await tell.add("plain", amount)
    await tell.add("other", 1)
    consumer = consumer_of(tally, broker)
    async with running(consumer):
        assert sorted(await waits(tally, 6)) == sorted(
            [(key, reason) for key in ("counted", "plain") for reason in _BROKEN_THEN_TWO_BEHIND]
        )
        assert await told(tally, 1) == {"other": [1]}

        assert await consumer.delivery.redrive("tells", "counted") == 0
        assert (await waiting(tally))[0][1] == "CannotAdd"

        tally.broken.clear()
        for key in ("counted", "plain"):
            assert await consumer.delivery.redrive("tells", key) == 3
            assert await consumer.delivery.redrive("tells", key) == 0
            assert await tally.amounts(key) == [666, 14, 15]
        assert await waiting(tally) == []

        await tell.add("counted", 16, sequence=4)
        await tell.add("plain", 16)
        found = await told(tally, 9)
    assert found["counted"] == found["plain"] == [666, 14, 15, 16]


_BROKEN_THEN_TWO_BEHIND = ["CannotAdd", "behind", "behind"]


async def test_a_gap_parks_its_key_and_heals_when_the_missing_record_comes(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    await tell.add("a", 1, sequence=1)
    await tell.add("a", 3, sequence=3)
    await tell.add("a", 4, sequence=4)
    await tell.add("b", 1, sequence=1)
    async with running(consumer_of(tally, broker)):
        assert await waits(tally, 2) == [("a", "gap"), ("a", "gap")]
        assert await told(tally, 2) == {"a": [1], "b": [1]}
        await tell.add("a", 6, sequence=6)
        assert len(await waits(tally, 3)) == 3
        await tell.add("a", 2, sequence=2)
        found = await told(tally, 5)
        assert found["a"] == [1, 2, 3, 4]
        assert await waiting(tally) == [("a", "gap")]
        await tell.add("a", 5, sequence=5)
        await told(tally, 7)
        await tell.add("a", 7, sequence=7)
        found = await told(tally, 8)
    assert found["a"] == [1, 2, 3, 4, 5, 6, 7]
    assert await waiting(tally) == []


async def test_records_out_of_order_within_one_poll_end_in_order(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    for n in (1, 4, 3, 2, 2, 5, 1, 7, 6):
        await tell.add("a", n, sequence=n)
    async with running(consumer_of(tally, broker)):
        found = await told(tally, 7)
    assert found == {"a": [1, 2, 3, 4, 5, 6, 7]}
    assert await waiting(tally) == []


async def test_what_is_not_needed_moves_the_position_on(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    await tell.add("a", 1, sequence=1)
    await tell.tell("a", b"{}", sequence=2, type="tally.shown.v1")
    await tell.add("a", 3, sequence=3)
    async with running(consumer_of(tally, broker)):
        assert await told(tally, 2) == {"a": [1, 3]}
    assert await waiting(tally) == []


async def test_what_another_service_parks_is_left_to_it(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    reading = Reading(handlers=READING.handlers, belongs=READING.belongs, parks_bad=False)
    await tell.add("a", 1, sequence=1)
    await tell.tell("a", b"{", sequence=2)
    await tell.tell("a", b"{}", sequence=3, type="tally.unheard.v9")
    await tell.tell("a", b'{"amount": 9}', headers=[])
    await tell.add("a", 4, sequence=4)
    async with running(consumer_of(tally, broker, reading=reading)):
        assert await told(tally, 2) == {"a": [1, 4]}
        await until(lambda: has_become(committed(broker), 5))
    assert await waiting(tally) == []


async def test_a_hopeless_record_can_be_given_up_so_that_its_key_goes_on(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    await tell.tell("a", b"{", sequence=1)
    await tell.add("a", 2, sequence=2)
    consumer = consumer_of(tally, broker)
    async with running(consumer):
        await waits(tally, 2)
        assert await consumer.delivery.redrive("tells", "a") == 0
        first, _ = await Parking(pool=tally.pool).all_waiting()
        assert (first.reason, first.attempts) == ("bad-json", 2)
        await consumer.delivery.discard(first.parked_id, first.raw)
        assert await consumer.delivery.redrive("tells", "a") == 1
    assert await tally.amounts("a") == [2]


async def test_parked_records_are_published_once_as_they_came(
    tally: Tally, broker: Broker, tell: Teller
) -> None:
    large = b"y" * (2 << 20)
    await tell.tell("bad", b"{", headers=[("ce_id", b"1"), ("odd", b"\x00\xff")])
    await tell.add("bad", 2)
    await tell.tell("large", large)
    dead = DeadLetters(service="tally", parking=Parking(pool=tally.pool), broker=broker)
    again = DeadLetters(service="tally", parking=Parking(pool=tally.pool), broker=broker)
    async with running(consumer_of(tally, broker)), running(dead), running(again):
        await waits(tally, 3)
        await until(
            lambda: has_become(
                tally.pool.fetchval("SELECT count(*) FROM parked WHERE published_at IS NULL"), 0
            )
        )
    records = {
        record.key + record.value[:2]: record for record in await published(broker, "dead.tally")
    }
    assert len(records) == 3
    bad = records[b"bad{"]
    assert bad.value == b"{"
    assert list(bad.headers[:2]) == [("ce_id", b"1"), ("odd", b"\x00\xff")]
    assert header(bad, "dead_reason") == "not-a-cloud-event"
    assert header(bad, "dead_attempts") == "1"
    assert header(bad, "dead_topic") == "tells"
    assert header(bad, "dead_offset") == "0"
    assert header(bad, "dead_partition") in ("0", "1")
    assert header(bad, "dead_first_at") == header(bad, "dead_last_at")
    assert header(records[b'bad{"'], "dead_reason") == "behind"
    assert records[b"largeyy"].value == large
