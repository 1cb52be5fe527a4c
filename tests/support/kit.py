"""What tests of the kit share: a cell with a counter in it, facts in an outbox, records on a topic.

The domain of these tests is a tally: each record adds a number under a name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from kit.answers import Answer, answer
from kit.health import Health
from kit.kafka import Broker, Topic, ensure_topics
from kit.loops import Loop
from kit.migrate import KIT_SCHEMA, Migration, migrate
from kit.perform import Door
from kit.postgres import Pool, open_pool
from kit.records import Poison, Record, Routed, cloud_event_headers
from kit.refusal import Refusal
from kit.transaction import Transaction
from kit.work import Event

KIT_ONLY = [
    Migration(name=f"kit/{path.name}", sql=path.read_text()) for path in KIT_SCHEMA.glob("*.sql")
]
TALLY = Migration(
    name="tally/0001.sql",
    sql="CREATE TABLE tally (n bigint GENERATED ALWAYS AS IDENTITY, name text, amount bigint)",
)
MIGRATIONS = [*KIT_ONLY, TALLY]


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    name: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    answer: Answer | Refusal
    events: Sequence[Event] = ()


class CannotAdd(Exception):
    """666 cannot be added; a bug that a test can fix."""


@dataclass
class Tally:
    """A tally in one cell; `broken` are the amounts its use case fails at."""

    pool: Pool
    dsn: str = ""
    broken: set[int] = field(default_factory=lambda: {666})

    def door(self, cell: int = 0) -> Door:
        return Door(self.pool, cell, {Add: self.add})

    async def add(self, tx: Transaction, commands: Sequence[Add], now: datetime) -> list[Added]:
        if any(command.amount in self.broken for command in commands):
            raise CannotAdd
        for command in commands:
            await tx.write(
                "INSERT INTO tally (name, amount) VALUES ($1, $2)",
                command.name,
                command.amount,
                rows=1,
            )
        return [Added(answer=answer(200, {})) for _ in commands]

    async def amounts(self, name: str) -> list[int]:
        rows = await self.pool.fetch("SELECT amount FROM tally WHERE name = $1 ORDER BY n", name)
        return [row["amount"] for row in rows]

    async def all_amounts(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row in await self.pool.fetch("SELECT name, amount FROM tally ORDER BY n"):
            found.setdefault(row["name"], []).append(row["amount"])
        return found


def added(record: Record) -> Routed | None:
    """The handler of these tests."""
    said = record.json()
    if not isinstance(said, dict) or not isinstance(said.get("amount"), int):
        raise Poison("bad-body", "no amount")
    return record.to(0, Add(name=record.key, amount=said["amount"]))


@asynccontextmanager
async def tally_in(dsn: str, cell: int = 0, size: int = 4) -> AsyncIterator[Tally]:
    await migrate(dsn, MIGRATIONS, cells=cell + 1)
    pool = await open_pool(dsn, schema=f"cell_{cell}", size=size, application_name="test")
    try:
        yield Tally(pool, dsn)
    finally:
        await asyncio.wait_for(pool.close(), 5)


async def broker_with(bootstrap: str, prefix: str, *topics: str, partitions: int = 2) -> Broker:
    broker = Broker(bootstrap_servers=bootstrap, prefix=prefix)
    await ensure_topics(broker, [Topic(name=name, partitions=partitions) for name in topics])
    return broker


async def write_facts(
    connection: asyncpg.Connection[Any] | Pool, topic: str, keys: Sequence[str]
) -> list[UUID]:
    """One fact for each key, in this order; their ids."""
    ids = [uuid4() for _ in keys]
    for key, event_id in zip(keys, ids, strict=True):
        last = await connection.fetchval(
            """
            INSERT INTO outbox_sequence (topic, key, last) VALUES ($1, $2, 1)
            ON CONFLICT (topic, key) DO UPDATE SET last = outbox_sequence.last + 1 RETURNING last
            """,
            topic,
            key,
        )
        await connection.execute(
            """
            WITH written AS (
                INSERT INTO outbox
                    (topic, key, sequence, event_id, type, subject, data, traceparent, written_at)
                VALUES
                    ($1, $2, $3, $4, 'tally.added.v1', $2, '{"amount": 1}', $5, clock_timestamp())
                RETURNING position
            )
            INSERT INTO unpublished SELECT position FROM written
            """,
            topic,
            key,
            last,
            event_id,
            "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        )
    return ids


async def published(broker: Broker, topic: str) -> list[ConsumerRecord[Any, Any]]:
    """All that is on a topic now, each partition in order."""
    name = broker.physical(topic)
    consumer = AIOKafkaConsumer(
        name, bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        mine = sorted(consumer.assignment())
        ends = await consumer.end_offsets(mine)
        records: list[ConsumerRecord[Any, Any]] = []
        while any([await consumer.position(each) < ends[each] for each in mine]):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                records += batch
        return records
    finally:
        await consumer.stop()


def header(record: ConsumerRecord[Any, Any], name: str) -> str | None:
    for key, value in record.headers:
        if key == name:
            return str(value.decode())
    return None


@dataclass
class Teller:
    """A source that tells a topic things, with or without sequences."""

    broker: Broker
    topic: str
    source: str = "/teller"
    producer: Any = None

    async def tell(
        self,
        key: str | None,
        body: bytes,
        *,
        sequence: int | None = None,
        type: str = "tally.added.v1",
        source: str | None = None,
        id: str | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> Any:
        if headers is None:
            headers = cloud_event_headers(
                id=id or str(uuid4()),
                type=type,
                source=source or self.source,
                subject=None,
                time=datetime.now(UTC),
                sequence=sequence,
                traceparent=None,
            )
        return await self.producer.send_and_wait(
            self.broker.physical(self.topic),
            key=None if key is None else key.encode(),
            value=body,
            headers=headers,
        )

    async def add(self, key: str, amount: int, sequence: int | None = None) -> Any:
        return await self.tell(key, b'{"amount": %d}' % amount, sequence=sequence)


@asynccontextmanager
async def teller(broker: Broker, topic: str) -> AsyncIterator[Teller]:
    producer = broker.producer(max_request_size=4 << 20)
    await producer.start()
    try:
        yield Teller(broker, topic, producer=producer)
    finally:
        await producer.stop()


@asynccontextmanager
async def running(loop: Loop) -> AsyncIterator[asyncio.Event]:
    """The loop runs meanwhile; it must end by itself when asked, and without an error."""
    stopping = asyncio.Event()
    task = asyncio.create_task(loop.run(Health().loop(loop.name, within=loop.within), stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        await asyncio.wait_for(task, 20)


async def until(
    what: Callable[[], Coroutine[Any, Any, Any]], within: float = 60.0, every: float = 0.05
) -> Any:
    """Wait until something is so; what it was last, if it never came to be."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        found = await what()
        if found:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"it did not happen: {found!r}"
        await asyncio.sleep(every)
