"""The relay on real PostgreSQL and Kafka: nothing is skipped, nothing is out of order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from kit.kafka import Broker, Topic, ensure_topics
from kit.migrate import migrate
from kit.postgres import connect
from kit.relay import Relay
from tests.conftest import MakeDatabase
from tests.support.kit import (
    MIGRATIONS,
    broker_with,
    header,
    published,
    running,
    until,
    write_facts,
)

Connection: TypeAlias = "asyncpg.Connection[Any]"


@pytest.fixture
async def dsn(make_database: MakeDatabase) -> str:
    made = make_database("relay")
    await migrate(made, MIGRATIONS)
    return made


@pytest.fixture
async def cell(dsn: str) -> AsyncIterator[Connection]:
    connection = await connect(dsn, schema="cell_0", application_name="test")
    yield connection
    await connection.close()


@pytest.fixture
async def broker(kafka_bootstrap: str, topic_prefix: str) -> Broker:
    return await broker_with(kafka_bootstrap, topic_prefix, "facts")


def relay_of(dsn: str, broker: Broker, kind: type[Relay] = Relay) -> Relay:
    return kind(dsn=dsn, cell=0, source="/tally/cell-0", broker=broker)


async def unpublished(cell: Connection) -> int:
    count = await cell.fetchval("SELECT count(*) FROM unpublished")
    assert isinstance(count, int)
    return count


async def drained(cell: Connection) -> None:
    async def empty() -> bool:
        return await unpublished(cell) == 0

    await until(empty)


async def sequences(broker: Broker, topic: str = "facts") -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for record in await published(broker, topic):
        found.setdefault(record.key.decode(), []).append(int(header(record, "ce_sequence") or 0))
    return found


async def test_facts_are_published_in_order_with_all_their_headers(
    dsn: str, cell: Connection, broker: Broker
) -> None:
    keys = [f"k{n % 7}" for n in range(50)]
    ids = await write_facts(cell, "facts", keys)
    async with running(relay_of(dsn, broker)):
        await drained(cell)
    records = await published(broker, "facts")
    assert {header(record, "ce_id") for record in records} == {str(each) for each in ids}
    assert await sequences(broker) == {
        f"k{n}": list(range(1, keys.count(f"k{n}") + 1)) for n in range(7)
    }
    one = records[0]
    assert header(one, "ce_type") == "tally.added.v1"
    assert header(one, "ce_source") == "/tally/cell-0"
    assert header(one, "ce_specversion") == "1.0"
    assert header(one, "ce_subject") == one.key.decode()
    assert (header(one, "ce_time") or "").endswith("Z")
    assert header(one, "content-type") == "application/json"
    assert (header(one, "traceparent") or "").startswith("00-0123456789abcdef0123456789abcdef-")
    assert one.value == b'{"amount": 1}'


async def test_a_key_lies_where_javas_clients_would_put_it(
    dsn: str, cell: Connection, broker: Broker
) -> None:
    # Known answers of org.apache.kafka.common.utils.Utils.murmur2, masked, modulo 2.
    known = {b"21": -973932308, b"foobar": -790332482, b"abc": 479470107}
    await write_facts(cell, "facts", [key.decode() for key in known])
    async with running(relay_of(dsn, broker)):
        await drained(cell)
    for record in await published(broker, "facts"):
        assert record.partition == (known[record.key] & 0x7FFFFFFF) % 2


class DiesBeforeMarking(Relay):
    """Loses its session once, after Kafka acknowledged and before anything was marked."""

    died = False

    async def _mark(self, connection: Connection, rows: Sequence[asyncpg.Record]) -> None:
        if not self.died:
            self.died = True
            connection.terminate()
        await super()._mark(connection, rows)


async def test_a_crash_between_publishing_and_marking_publishes_the_same_ids_again(
    dsn: str, cell: Connection, broker: Broker
) -> None:
    ids = await write_facts(cell, "facts", ["a", "b", "a"])
    relay = relay_of(dsn, broker, DiesBeforeMarking)
    async with running(relay):
        await drained(cell)
    assert isinstance(relay, DiesBeforeMarking)
    assert relay.died
    given = [header(record, "ce_id") or "" for record in await published(broker, "facts")]
    assert sorted(given) == sorted([str(each) for each in ids] * 2)
    assert (await sequences(broker))["a"] == [1, 2, 1, 2]


async def test_a_transaction_that_commits_late_is_not_skipped(
    dsn: str, cell: Connection, broker: Broker
) -> None:
    late = await connect(dsn, schema="cell_0", application_name="late")
    try:
        transaction = late.transaction()
        await transaction.start()
        [slow] = await write_facts(late, "facts", ["slow"])
        await write_facts(cell, "facts", ["quick"])
        async with running(relay_of(dsn, broker)):
            # The later position is out before the earlier one can be seen.
            await drained(cell)
            assert list(await sequences(broker)) == ["quick"]
            await transaction.commit()
            await drained(cell)
    finally:
        await late.close()
    assert str(slow) in [header(record, "ce_id") for record in await published(broker, "facts")]


async def test_only_one_relay_works_and_the_other_takes_over_when_it_dies(
    dsn: str, cell: Connection, broker: Broker
) -> None:
    holders = """
        SELECT pid FROM pg_stat_activity
        JOIN pg_locks USING (pid)
        WHERE locktype = 'advisory' AND granted AND application_name = 'relay:cell_0'
            AND datname = current_database()
    """
    sessions = """
        SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'relay:cell_0' AND datname = current_database()
    """

    async def both_are_there() -> bool:
        return await cell.fetchval(sessions) == 2 and len(await cell.fetch(holders)) == 1

    async with running(relay_of(dsn, broker)), running(relay_of(dsn, broker)):
        await until(both_are_there)
        [(elected,)] = await cell.fetch(holders)
        await write_facts(cell, "facts", ["a"] * 20)
        await drained(cell)
        await cell.execute("SELECT pg_terminate_backend($1)", elected)
        await write_facts(cell, "facts", ["a"] * 20)
        await drained(cell)
        assert len(await cell.fetch(holders)) == 1
    assert (await sequences(broker))["a"] == list(range(1, 41))


async def test_what_the_broker_refuses_holds_back_only_what_comes_after_it(
    dsn: str, cell: Connection, broker: Broker
) -> None:
    await write_facts(cell, "facts", ["a", "b"])
    [missing] = await write_facts(cell, "nowhere", ["c"])
    await write_facts(cell, "facts", ["a"])
    impatient = replace(broker, options={"request_timeout_ms": 1_000})

    async def first_unpublished() -> bool:
        found = await cell.fetchval(
            "SELECT event_id FROM outbox JOIN unpublished USING (position) ORDER BY position"
        )
        return bool(found == missing)

    async with running(relay_of(dsn, impatient)):
        await until(first_unpublished)
        await ensure_topics(broker, [Topic(name="nowhere", partitions=1)])
        await drained(cell)
    last = {key: found[-1] for key, found in (await sequences(broker)).items()}
    assert last == {"a": 2, "b": 1}
    assert await sequences(broker, "nowhere") == {"c": [1]}


@dataclass(frozen=True, kw_only=True)
class Refusing(Broker):
    """Its producers put one record into a batch; the thirtieth batch of all is refused."""

    sent: list[int] = field(default_factory=list)

    def producer(self, **settings: Any) -> AIOKafkaProducer:
        producer = super().producer(**{**settings, "max_batch_size": 1})
        accepts = producer.send_batch

        async def send_batch(batch: object, topic: str, *, partition: int) -> Any:
            self.sent.append(partition)
            if len(self.sent) == 30:
                raise MessageSizeTooLargeError
            return await accepts(batch, topic, partition=partition)

        producer.send_batch = send_batch
        return producer


async def test_a_batch_refused_in_the_middle_is_overtaken_by_nothing_of_its_keys(
    dsn: str, cell: Connection, broker: Broker
) -> None:
    refusing = Refusing(bootstrap_servers=broker.bootstrap_servers, prefix=broker.prefix)
    keys = [f"k{n % 5}" for n in range(100)]
    ids = await write_facts(cell, "facts", keys)
    async with running(relay_of(dsn, refusing)):
        await drained(cell)
    assert len(refusing.sent) > 100
    records = await published(broker, "facts")
    assert {header(record, "ce_id") for record in records} == {str(each) for each in ids}
    for found in (await sequences(broker)).values():
        highest = 0
        for sequence in found:
            assert sequence <= highest + 1, found
            highest = max(highest, sequence)
        assert highest == 20


async def test_a_relay_that_is_stopped_makes_a_last_pass(
    dsn: str, cell: Connection, broker: Broker
) -> None:
    async with running(relay_of(dsn, broker)) as stopping:
        await write_facts(cell, "facts", ["a"])
        await drained(cell)
        await write_facts(cell, "facts", ["a"] * 30)
        stopping.set()
    assert await unpublished(cell) == 0
    assert (await sequences(broker))["a"] == list(range(1, 32))


async def test_a_relay_survives_a_database_that_goes_away(
    dsn: str, cell: Connection, broker: Broker
) -> None:
    async with running(relay_of(dsn, broker)):
        for _ in range(3):
            await write_facts(cell, "facts", ["a"] * 5)
            await cell.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'relay:cell_0' AND datname = current_database()"
            )
        await asyncio.wait_for(drained(cell), 20)
    assert sorted(set((await sequences(broker))["a"])) == list(range(1, 16))
