"""What the door remembers: receipts of answers, and how far each source was consumed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What was answered for good under a key; no body where the key was withdrawn before."""

    caller: str
    scope: UUID
    key: str
    status: int
    body: str
    answered_at: datetime


async def answers_under(
    tx: Transaction, key: str, caller: str | None, most: int
) -> list[KeptAnswer]:
    """The newest answers under this key, of anybody where no caller is named."""
    rows = await tx.fetch(
        """
        SELECT caller, scope, key, status, body, answered_at FROM receipt
        WHERE key = $1 AND ($2::text IS NULL OR caller = $2)
        ORDER BY answered_at DESC
        LIMIT $3
        """,
        key,
        caller,
        most,
    )
    return [KeptAnswer(**row) for row in rows]


async def answers_about(
    tx: Transaction, asked: Collection[tuple[str, UUID]], ids: Collection[UUID], most: int
) -> list[KeptAnswer]:
    """The newest answers to these callers about these persons that name one of the ids."""
    rows = await tx.fetch(
        """
        SELECT caller, scope, key, status, body, answered_at
        FROM unnest($1::text[], $2::uuid[]) AS asked (caller, scope)
        JOIN receipt USING (caller, scope)
        WHERE EXISTS (
            SELECT FROM unnest($3::text[]) AS named (id) WHERE strpos(receipt.body, named.id) > 0
        )
        ORDER BY answered_at DESC
        LIMIT $4
        """,
        [caller for caller, _ in asked],
        [scope for _, scope in asked],
        [str(each) for each in ids],
        most,
    )
    return [KeptAnswer(**row) for row in rows]


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
