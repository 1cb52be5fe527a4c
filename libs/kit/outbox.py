"""Writing to the outbox: facts are kept with the change that made them, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.ids import event_id
from kit.transaction import Transaction
from kit.work import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An event and the command that caused it."""

    command_id: UUID
    event: Event
    traceparent: str | None


# Counters, events and what waits to be published are written in one statement. `back` counts the
# later events of the same key in this batch, so that the sequence needs no second round trip.
_WRITE = """
WITH counted AS (
    INSERT INTO outbox_sequence (topic, key, last)
    SELECT topic, key, count(*)
    FROM unnest($1::text[], $2::text[]) AS sent (topic, key)
    GROUP BY topic, key
    ORDER BY topic, key
    ON CONFLICT (topic, key) DO UPDATE SET last = outbox_sequence.last + EXCLUDED.last
    RETURNING topic, key, last
),
written AS (
    INSERT INTO outbox
        (topic, key, sequence, event_id, type, subject, data, traceparent, written_at)
    SELECT
        sent.topic, sent.key, counted.last - sent.back,
        sent.event_id, sent.type, sent.subject, sent.data, sent.traceparent, $9
    FROM unnest(
        $1::text[], $2::text[], $3::bigint[],
        $4::uuid[], $5::text[], $6::text[], $7::bytea[], $8::text[]
    ) WITH ORDINALITY
        AS sent (topic, key, back, event_id, type, subject, data, traceparent, n)
    JOIN counted USING (topic, key)
    ORDER BY sent.n
    RETURNING position
)
INSERT INTO unpublished (position) SELECT position FROM written
"""


async def write_outbox(tx: Transaction, outgoing: Sequence[Outgoing], now: datetime) -> None:
    """Add events to the outbox, in their order, each with the next sequence of its key."""
    if not outgoing:
        return
    events = [sent.event for sent in outgoing]
    await tx.write(
        _WRITE,
        [event.topic for event in events],
        [event.key for event in events],
        _later_of_the_same_key(events),
        [event_id(sent.command_id, sent.event.type, sent.event.subject) for sent in outgoing],
        [event.type for event in events],
        [event.subject for event in events],
        [event.data for event in events],
        [sent.traceparent for sent in outgoing],
        now,
        rows=len(events),
    )


def _later_of_the_same_key(events: Sequence[Event]) -> list[int]:
    seen: dict[tuple[str, str], int] = {}
    back: list[int] = []
    for event in reversed(events):
        later = seen.get((event.topic, event.key), 0)
        back.append(later)
        seen[event.topic, event.key] = later + 1
    back.reverse()
    return back
