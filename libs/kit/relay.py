"""The relay: publishes a cell's outbox to Kafka, at least once, each key in order.

One relay works per cell: the one whose session holds the cell's advisory lock. The same session
reads and marks, so that a relay that lost its lock cannot mark either. It selects what stands in
`unpublished`, in order of position; a high-water mark would skip a transaction that committed
late. To mark is to delete from there, and only the prefix that the broker acknowledged; after any
error it starts again from the first unmarked, and consumers skip by sequence what they had seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge, Histogram

from kit.faultpoint import declare, faultpoint
from kit.health import Heart
from kit.kafka import STARTED_WITHIN_SECONDS, Broker, discard_producer
from kit.loops import happens
from kit.postgres import connect, is_passing, schema_of
from kit.publish import Publisher

declare("relay.before-publish", "relay.after-publish", "relay.after-mark")

log = structlog.get_logger("kit.relay")

PUBLISHED = Counter("relay_published_total", "Events acknowledged by Kafka", ["relay"])
LAG_SECONDS = (
    *(0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3),
    *(0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 5.0, 10.0, 60.0),
)
LAG = Histogram(
    "relay_lag_seconds",
    "From written to acknowledged, of each transaction",
    ["relay"],
    buckets=LAG_SECONDS,
)
WAITING = Gauge("relay_unpublished", "Events in the outbox, not yet published", ["relay"])
OLDEST = Gauge("relay_oldest_unpublished_seconds", "Age of the first unpublished", ["relay"])

Source = str | Callable[[str], str]
"""`ce_source` of what a cell publishes: one for all, or one for each topic."""

CHUNK = 2_000
MOST_BATCH_BYTES = 1 << 20
SOONEST, LATEST = 0.02, 0.05
"""Seconds between looks at an empty outbox: just after work, and at rest."""
STANDBY_SECONDS = 0.5
COUNT_EVERY_SECONDS = 5.0
LAST_PASS_SECONDS = 10.0

# Should this machine vanish, the server must notice and let the lock go to another relay.
_NOTICE_A_DEAD_PEER = """
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '10s'
"""

_SELECT = """
SELECT topic, key, sequence, event_id, type, subject, data, traceparent, written_at, position
FROM outbox
WHERE position = ANY(ARRAY(SELECT position FROM unpublished ORDER BY position LIMIT $1))
ORDER BY position
"""
_MARK = "DELETE FROM unpublished WHERE position = ANY($1::bigint[])"
_COUNT = """
SELECT
    count(*) AS waiting,
    coalesce(extract(epoch FROM clock_timestamp() - (
        SELECT written_at FROM outbox WHERE position = min(first.position)
    )), 0)::float8 AS oldest
FROM (SELECT position FROM unpublished ORDER BY position LIMIT 100000) AS first
"""


class Relay:
    """Publishes what cell `cell` wrote; `source` is the `ce_source` of all of it, or by topic."""

    within = 60.0

    def __init__(self, *, dsn: str, cell: int, source: Source, broker: Broker) -> None:
        self.name = f"relay-{cell}"
        self._dsn = dsn
        self._schema = schema_of(cell)
        self._source_of = (lambda _topic: source) if isinstance(source, str) else source
        self._broker = broker
        self._woken = asyncio.Event()
        self._counted_at = 0.0

    def wake(self) -> None:
        """Something was written: look now."""
        self._woken.set()

    async def run(self, heart: Heart, stopping: asyncio.Event) -> None:
        """Relay until told to stop, then once more until the outbox is empty."""
        pause = 0.1
        while not stopping.is_set():
            try:
                await self._relay_one_session(heart, stopping)
                pause = 0.1
            except Exception as error:
                if not (isinstance(error, KafkaError) or is_passing(error)):
                    raise
                # Database or broker are away: this is their trouble, the loop itself is well.
                log.warning("relay.interrupted", relay=self.name, error=repr(error))
                heart.beat()
                await happens(stopping, pause)
                pause = min(pause * 2, 5.0)

    async def _relay_one_session(self, heart: Heart, stopping: asyncio.Event) -> None:
        connection = await connect(
            self._dsn, schema=self._schema, application_name=f"relay:{self._schema}"
        )
        try:
            await connection.execute(_NOTICE_A_DEAD_PEER)
            while not await self._elected(connection):
                heart.beat()
                if await happens(stopping, STANDBY_SECONDS):
                    return
            producer = self._broker.producer(max_batch_size=MOST_BATCH_BYTES)
            try:
                async with asyncio.timeout(STARTED_WITHIN_SECONDS):
                    await producer.start()
                await self._publish_until(stopping, connection, producer, heart)
            finally:
                await discard_producer(producer)
        finally:
            connection.terminate()

    async def _elected(self, connection: asyncpg.Connection[Any]) -> bool:
        return bool(
            await connection.fetchval(
                "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", f"relay:{self._schema}"
            )
        )

    async def _publish_until(
        self,
        stopping: asyncio.Event,
        connection: asyncpg.Connection[Any],
        producer: AIOKafkaProducer,
        heart: Heart,
    ) -> None:
        log.info("relay.elected", relay=self.name)
        publisher = Publisher(producer, self._broker, self._source_of)
        pause = SOONEST
        while not stopping.is_set():
            heart.beat()
            self._woken.clear()
            if await self.publish_once(connection, publisher):
                pause = SOONEST
                continue
            await self._count(connection)
            await happens(self._woken, pause)
            pause = min(pause * 1.2, LATEST)
        async with asyncio.timeout(LAST_PASS_SECONDS):
            while await self.publish_once(connection, publisher):
                heart.beat()

    async def publish_once(self, connection: asyncpg.Connection[Any], publisher: Publisher) -> int:
        """Publish and mark the next events; returns how many. Raises what stopped it."""
        rows = await connection.fetch(_SELECT, CHUNK)
        if not rows:
            return 0
        faultpoint("relay.before-publish")
        acknowledged, error = await publisher.publish(rows)
        faultpoint("relay.after-publish")
        if acknowledged:
            await self._mark(connection, rows[:acknowledged])
        faultpoint("relay.after-mark")
        if error is not None:
            raise error
        return acknowledged

    async def _mark(
        self, connection: asyncpg.Connection[Any], rows: Sequence[asyncpg.Record]
    ) -> None:
        status = await connection.execute(_MARK, [row["position"] for row in rows])
        assert status == f"DELETE {len(rows)}", f"{status}: somebody else marked our events"
        now = datetime.now(UTC)
        PUBLISHED.labels(self.name).inc(len(rows))
        lag = LAG.labels(self.name)
        for written_at in {row["written_at"] for row in rows}:
            lag.observe((now - written_at).total_seconds())

    async def _count(self, connection: asyncpg.Connection[Any]) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._counted_at < COUNT_EVERY_SECONDS:
            return
        self._counted_at = now
        row = await connection.fetchrow(_COUNT)
        assert row is not None
        WAITING.labels(self.name).set(row["waiting"])
        OLDEST.labels(self.name).set(row["oldest"])
