"""What the door remembers: receipts of answers, and how far each source was consumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from kit.answers import Answer
from kit.refusal import ReversedBeforeArrival
from kit.transaction import Transaction
from kit.work import Position, ReceiptKey

Receipts = dict[tuple[str, UUID, str], tuple[bytes, Answer]]
Consumed = dict[tuple[str, str, str], int]

# One statement tells the time and the receipts; it always gives a row, for the time's sake.
_READ_RECEIPTS = """
SELECT
    clock_timestamp() AS now,
    found.caller, found.scope, found.key, found.fingerprint, found.status, found.body
FROM (SELECT 1) AS once
LEFT JOIN (
    SELECT receipt.*
    FROM unnest($1::text[], $2::uuid[], $3::text[]) AS asked (caller, scope, key)
    JOIN receipt USING (caller, scope, key)
) AS found ON true
"""


async def read_receipts(tx: Transaction, keys: Sequence[ReceiptKey]) -> tuple[datetime, Receipts]:
    """The time by the database's clock, and the receipts that exist under these keys."""
    rows = await tx.fetch(
        _READ_RECEIPTS,
        [key.caller for key in keys],
        [key.scope for key in keys],
        [key.key for key in keys],
    )
    found: Receipts = {}
    for row in rows:
        if row["caller"] is not None:
            name = (row["caller"], row["scope"], row["key"])
            given = Answer(status=row["status"], body=row["body"], replayed=True)
            found[name] = (row["fingerprint"], given)
    return rows[0]["now"], found


TOMBSTONE = b""
"""The fingerprint of a key that was withdrawn before its request arrived: it fits any request."""


async def write_tombstones(tx: Transaction, keys: Sequence[ReceiptKey], now: datetime) -> None:
    """Withdraw keys that nothing was asked under: whatever arrives under them is refused."""
    if keys:
        withdrawn = ReversedBeforeArrival.status
        await tx.insert(
            "receipt",
            ("caller", "scope", "key", "fingerprint", "status", "body", "answered_at"),
            [(key.caller, key.scope, key.key, TOMBSTONE, withdrawn, "", now) for key in keys],
        )


async def write_receipts(
    tx: Transaction, answered: Sequence[tuple[ReceiptKey, Answer]], now: datetime
) -> None:
    if not answered:
        return
    await tx.insert(
        "receipt",
        ("caller", "scope", "key", "fingerprint", "status", "body", "answered_at"),
        [
            (key.caller, key.scope, key.key, key.fingerprint, given.status, given.body, now)
            for key, given in answered
        ],
    )


async def read_consumed(tx: Transaction, positions: Sequence[Position]) -> Consumed:
    """The last sequence consumed of each key; a key never heard of is absent."""
    rows = await tx.fetch(
        """
        SELECT source, topic, key, last_sequence
        FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (source, topic, key)
        JOIN consumed USING (source, topic, key)
        """,
        [position.source for position in positions],
        [position.topic for position in positions],
        [position.key for position in positions],
    )
    return {(row["source"], row["topic"], row["key"]): row["last_sequence"] for row in rows}


async def write_consumed(
    tx: Transaction, before: Consumed, after: Mapping[tuple[str, str, str], int]
) -> None:
    """Move positions on. A row that another process moved meanwhile is not counted: retry."""
    moved = sorted(name for name, last in after.items() if before.get(name) != last)
    if not moved:
        return
    await tx.write(
        """
        INSERT INTO consumed (source, topic, key, last_sequence)
        SELECT source, topic, key, last_sequence
        FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
            AS moved (source, topic, key, last_sequence)
        ON CONFLICT (source, topic, key) DO UPDATE SET last_sequence = EXCLUDED.last_sequence
        WHERE consumed.last_sequence < EXCLUDED.last_sequence
        """,
        [name[0] for name in moved],
        [name[1] for name in moved],
        [name[2] for name in moved],
        [after[name] for name in moved],
        rows=len(moved),
    )
