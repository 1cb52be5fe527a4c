"""Parked records: what could not be performed waits in the database, and its key waits with it.

    parked      poison, broken or out of sequence; later records of its (topic, key) join it
    resolved    performed by a redrive, or dropped by a clerk

A consumer parks and a redrive resolves under one lock, so that no record can join a key whose
last parked record has just left. Each parked record is also published once, as it came, for
others to see.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import orjson
import structlog
from prometheus_client import Counter, Gauge

from kit.faultpoint import declare, faultpoint
from kit.postgres import Pool
from kit.records import Headers, Raw

declare("consume.after-park")

log = structlog.get_logger("kit.parking")

PARKED = Counter("parked_total", "Records parked", ["topic", "reason"])
WAITING = Gauge("parked_waiting", "Parked records that wait for somebody", ["topic"])

GAP = "gap"
BEHIND = "behind"

Name = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parking:
    """Where a service keeps its parked records: one cell's schema is the home of all of them."""

    pool: Pool

    async def reasons(self, names: Collection[Name]) -> dict[Name, str]:
        """Those of the (topic, key)s that are parked, and why their first record is."""
        rows = await self.pool.fetch(
            """
            SELECT DISTINCT ON (topic, key) topic, key, reason
            FROM unnest($1::text[], $2::text[]) AS asked (topic, key)
            JOIN parked USING (topic, key)
            WHERE resolved_at IS NULL
            ORDER BY topic, key, parked_id
            """,
            [topic for topic, _ in names],
            [key for _, key in names],
        )
        return {(row["topic"], row["key"]): row["reason"] for row in rows}

    async def park(self, notes: Sequence[Note]) -> list[Raw]:
        """Park records; returns those that wanted to join a key that is not parked any more.

        A record that was parked and resolved before, and is read again, stays resolved.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK)
            resolved = await self._resolved(connection, notes)
            notes = [note for note in notes if note.raw.place not in resolved]
            left = await self._not_parked(connection, notes)
            kept = [note for note in notes if note.raw.place not in left]
            await connection.execute(
                _PARK,
                [note.raw.topic for note in kept],
                [note.raw.partition for note in kept],
                [note.raw.offset for note in kept],
                [note.raw.key for note in kept],
                [_packed(note) for note in kept],
                [note.raw.value for note in kept],
                [note.reason for note in kept],
            )
        faultpoint("consume.after-park")
        for note in kept:
            PARKED.labels(note.raw.topic, note.reason).inc()
            log.warning(
                "record.parked", place=note.raw.place, reason=note.reason, detail=note.detail
            )
        return [note.raw for note in notes if note.raw.place in left]

    async def _resolved(self, connection: Any, notes: Sequence[Note]) -> set[str]:
        """Places of records that were parked here once and are not waiting any more."""
        rows = await connection.fetch(
            """
            SELECT came.n
            FROM unnest($1::text[], $2::integer[], $3::bigint[])
                WITH ORDINALITY AS came (topic, partition, record_offset, n)
            JOIN parked USING (topic, partition, record_offset)
            WHERE resolved_at IS NOT NULL
            """,
            [note.raw.topic for note in notes],
            [note.raw.partition for note in notes],
            [note.raw.offset for note in notes],
        )
        return {notes[row["n"] - 1].raw.place for row in rows}

    async def _not_parked(self, connection: Any, notes: Sequence[Note]) -> set[str]:
        """Places of joining records whose key has nothing parked, here or in the database."""
        parked_here = {note.raw.name for note in notes if note.reason != BEHIND}
        joining = [
            note.raw for note in notes if note.reason == BEHIND and note.raw.name not in parked_here
        ]
        rows = await connection.fetch(
            """
            SELECT DISTINCT topic, key
            FROM unnest($1::text[], $2::text[]) AS asked (topic, key)
            JOIN parked USING (topic, key)
            WHERE resolved_at IS NULL
            """,
            [raw.topic for raw in joining],
            [raw.key for raw in joining],
        )
        parked = {(row["topic"], row["key"]) for row in rows}
        return {raw.place for raw in joining if raw.name not in parked}

    async def waiting_of(self, topic: str, key: str, most: int = 100) -> list[Parked]:
        """The first parked records of a key, in the order in which they must be performed."""
        rows = await self.pool.fetch(
            f"""
            SELECT {_COLUMNS} FROM parked
            WHERE topic = $1 AND key = $2 AND resolved_at IS NULL
            ORDER BY
                headers->>'source' NULLS FIRST,
                (headers->>'sequence')::bigint NULLS FIRST,
                record_offset
            LIMIT $3
            """,  # noqa: S608 -- a constant list of columns
            topic,
            key,
            most,
        )
        return [_parked_of(row) for row in rows]

    async def all_waiting(self, most: int = 1_000) -> list[Parked]:
        rows = await self.pool.fetch(
            f"""
            SELECT {_COLUMNS} FROM parked WHERE resolved_at IS NULL ORDER BY parked_id LIMIT $1
            """,  # noqa: S608 -- a constant list of columns
            most,
        )
        return [_parked_of(row) for row in rows]

    async def waiting_at(self, topic: str, partition: int, offset: int) -> Parked | None:
        row = await self.pool.fetchrow(
            f"""
            SELECT {_COLUMNS} FROM parked
            WHERE topic = $1 AND partition = $2 AND record_offset = $3 AND resolved_at IS NULL
            """,  # noqa: S608 -- a constant list of columns
            topic,
            partition,
            offset,
        )
        return None if row is None else _parked_of(row)

    async def resolve(self, parked_id: int) -> None:
        """It was performed, or given up: it waits no longer."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK)
            await connection.execute(
                """
                UPDATE parked SET resolved_at = clock_timestamp(), last_at = clock_timestamp()
                WHERE parked_id = $1 AND resolved_at IS NULL
                """,
                parked_id,
            )

    async def failed_again(self, parked_id: int, reason: str) -> None:
        await self.pool.execute(
            """
            UPDATE parked
            SET attempts = attempts + 1, reason = $2, last_at = clock_timestamp()
            WHERE parked_id = $1 AND resolved_at IS NULL
            """,
            parked_id,
            reason,
        )

    async def has_unpublished(self) -> bool:
        return bool(
            await self.pool.fetchval(
                "SELECT EXISTS (SELECT 1 FROM parked WHERE published_at IS NULL)"
            )
        )

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[Publishing | None]:
        """The right to publish parked records, which one process has at a time; None for others."""
        async with self.pool.acquire() as connection:
            # A session's lock, not a transaction's: Kafka's answer is awaited under it.
            try:
                granted = await connection.fetchval(
                    """
                    SELECT pg_try_advisory_lock(
                        hashtextextended('publishing:' || current_schema(), 0)
                    )
                    """
                )
                yield Publishing(connection) if granted else None
            finally:
                await _unlocked(connection)

    async def count(self) -> None:
        """Tell the metrics how many records wait."""
        rows = await self.pool.fetch(
            "SELECT topic, count(*) AS n FROM parked WHERE resolved_at IS NULL GROUP BY topic"
        )
        WAITING.clear()
        for row in rows:
            WAITING.labels(row["topic"]).set(row["n"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A record to park and why; `source` and `sequence` are None where they cannot be read."""

    raw: Raw
    reason: str
    detail: str = ""
    source: str | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A record that waits."""

    parked_id: int
    raw: Raw
    reason: str
    attempts: int
    first_at: datetime
    last_at: datetime


class Publishing:
    """Reads parked records that nobody else has seen yet, and marks those published."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> None:
        self._connection = connection

    async def unpublished(self, most: int) -> list[Parked]:
        rows = await self._connection.fetch(
            f"""
            SELECT {_COLUMNS} FROM parked WHERE published_at IS NULL ORDER BY parked_id LIMIT $1
            """,  # noqa: S608 -- a constant list of columns
            most,
        )
        return [_parked_of(row) for row in rows]

    async def mark(self, parked_id: int) -> None:
        await self._connection.execute(
            "UPDATE parked SET published_at = clock_timestamp() WHERE parked_id = $1", parked_id
        )


_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('parking:' || current_schema(), 0))"

_COLUMNS = """
parked_id, topic, partition, record_offset, headers, value, reason, attempts, first_at, last_at
"""

_PARK = """
INSERT INTO parked
    (topic, partition, record_offset, key, headers, value, reason, first_at, last_at)
SELECT
    topic, partition, record_offset, key, headers, value, reason,
    now(), now()
FROM unnest(
    $1::text[], $2::integer[], $3::bigint[], $4::text[], $5::jsonb[], $6::bytea[], $7::text[]
) WITH ORDINALITY AS came (topic, partition, record_offset, key, headers, value, reason, n)
ORDER BY came.n
ON CONFLICT (topic, partition, record_offset) DO NOTHING
"""


async def _unlocked(connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> None:
    # The end of a session gives its locks back as well.
    if connection.is_closed():
        return
    try:
        await connection.execute("SELECT pg_advisory_unlock_all()")
    except BaseException:  # Whatever it was, nobody else may find the lock on this connection.
        connection.terminate()
        raise


def _packed(note: Note) -> str:
    """What the table has no column for, as JSON: the bytes of key and headers, the sequence."""
    raw = note.raw
    packed = {
        "key": None if raw.key_bytes is None else _base64(raw.key_bytes),
        "headers": [[_base64(name.encode()), _base64(value)] for name, value in raw.headers],
        "source": note.source,
        "sequence": note.sequence,
    }
    return orjson.dumps(packed).decode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _unpacked(packed: str) -> tuple[bytes | None, Headers]:
    said = orjson.loads(packed)
    headers = tuple(
        (base64.b64decode(name).decode(), base64.b64decode(value))
        for name, value in said["headers"]
    )
    return None if said["key"] is None else base64.b64decode(said["key"]), headers


def _parked_of(row: Any) -> Parked:
    key_bytes, headers = _unpacked(row["headers"])
    raw = Raw(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["record_offset"],
        key_bytes=key_bytes,
        headers=headers,
        value=row["value"],
    )
    return Parked(
        parked_id=row["parked_id"],
        raw=raw,
        reason=row["reason"],
        attempts=row["attempts"],
        first_at=row["first_at"],
        last_at=row["last_at"],
    )
