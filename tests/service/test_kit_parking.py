"""Parking and redriving on real PostgreSQL, polls made by hand: every order, every interruption."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from kit import parking as parking_module
from kit.deliver import Delivery, Poll, Reading
from kit.parking import Parking
from kit.records import Headers, Raw, cloud_event_headers
from kit.refusal import Unavailable
from kit.work import Job, Outcome
from tests.conftest import MakeDatabase
from tests.support.kit import Tally, added, tally_in

READING = Reading(handlers={"tally.added.v1": added})


@pytest.fixture
async def tally(make_database: MakeDatabase) -> AsyncIterator[Tally]:
    async with tally_in(make_database("parking"), size=8) as one:
        yield one


@dataclass
class Partition:
    """Hands out records as Kafka would."""

    offset: int = 0
    ids: dict[tuple[str, int], str] = field(default_factory=dict)

    def record(self, key: str, amount: int, sequence: int | None = None) -> Raw:
        event_id = self.ids.setdefault((key, amount), str(uuid4()))
        headers: Headers = tuple(
            cloud_event_headers(
                id=event_id,
                type="tally.added.v1",
                source="/teller",
                subject=None,
                time=datetime.now(UTC),
                sequence=sequence,
                traceparent=None,
            )
        )
        self.offset += 1
        return Raw(
            topic="tells",
            partition=0,
            offset=self.offset,
            key_bytes=key.encode(),
            headers=headers,
            value=b'{"amount": %d}' % amount,
        )


def delivery_to(tally: Tally, failing: float = 0.0, seed: int = 0) -> Delivery:
    door = tally.door()
    chance = random.Random(seed)

    async def submit(_cell: int, jobs: Sequence[Job]) -> list[Outcome]:
        if chance.random() < failing:
            raise Unavailable("before")
        outcomes = await door.perform(jobs)
        if chance.random() < failing:
            raise Unavailable("after")
        return outcomes

    return Delivery(reading=READING, submit=submit, parking=Parking(pool=tally.pool))


async def deliver(delivery: Delivery, raws: Sequence[Raw]) -> None:
    """As the consumer does: the same poll again, until it is done."""
    poll = Poll(pending=list(raws))
    while True:
        try:
            await delivery.deliver(poll)
            return
        except Unavailable:
            continue


async def waiting(tally: Tally) -> list[tuple[str, str]]:
    rows = await Parking(pool=tally.pool).all_waiting()
    return [(row.raw.key, row.reason) for row in rows]


@pytest.mark.parametrize("seed", range(12))
async def test_any_order_any_repetition_any_interruption_ends_in_order(
    tally: Tally, seed: int
) -> None:
    chance = random.Random(seed)
    partition = Partition()
    keys = {"a": 12, "b": 7, "c": 1}
    told = [(key, n) for key, last in keys.items() for n in range(1, last + 1)] * 2
    chance.shuffle(told)
    records = [partition.record(key, n, sequence=n) for key, n in told]
    delivery = delivery_to(tally, failing=0.15, seed=seed)
    while records:
        size = chance.randint(1, 6)
        await deliver(delivery, records[:size])
        # A consumer that died before it committed reads the same records again.
        del records[: size if chance.random() < 0.8 else 0]
    assert await tally.all_amounts() == {
        key: list(range(1, last + 1)) for key, last in keys.items()
    }
    assert await waiting(tally) == []


async def test_records_without_sequences_keep_their_order_behind_a_broken_one(
    tally: Tally,
) -> None:
    partition = Partition()
    delivery = delivery_to(tally)
    told = [("a", 1), ("a", 666), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]
    await deliver(delivery, [partition.record(key, amount) for key, amount in told])
    assert await tally.all_amounts() == {"a": [1], "b": [1, 2]}
    assert await waiting(tally) == [("a", "CannotAdd"), ("a", "behind"), ("a", "behind")]
    tally.broken = {2}
    assert await delivery.redrive("tells", "a") == 1
    assert await waiting(tally) == [("a", "CannotAdd"), ("a", "behind")]
    await deliver(delivery, [partition.record("a", 4)])
    tally.broken = set()
    assert await delivery.redrive("tells", "a") == 3
    assert (await tally.amounts("a")) == [1, 666, 2, 3, 4]


async def test_a_record_is_parked_once_and_once_resolved_stays_so(tally: Tally) -> None:
    partition = Partition()
    delivery = delivery_to(tally)
    bad = partition.record("a", 666, sequence=1)
    for _ in range(3):
        await deliver(delivery, [bad])
    assert len(await waiting(tally)) == 1
    tally.broken.clear()
    assert await delivery.redrive("tells", "a") == 1
    await deliver(delivery, [bad])
    assert await waiting(tally) == []
    assert await tally.amounts("a") == [666]


async def _race(tally: Tally, rounds: int) -> int:
    """How often a record was left behind."""
    return sum([await _one_race(tally, n) for n in range(rounds)])


async def _one_race(tally: Tally, n: int) -> int:
    """Redrive a key's last parked record while the next one comes; how many were left."""
    key = f"k{n}"
    partition = Partition(offset=n * 10)
    delivery = delivery_to(tally)
    tally.broken = {666}
    await deliver(delivery, [partition.record(key, 666)])
    tally.broken = set()
    both = asyncio.Barrier(2)

    async def redrive() -> None:
        await both.wait()
        await delivery.redrive("tells", key)

    async def follow() -> None:
        poll = Poll(pending=[partition.record(key, 1)])
        poll.stuck = await delivery.parking.reasons({("tells", key)})
        assert poll.stuck
        await both.wait()
        await delivery.deliver(poll)

    await asyncio.gather(redrive(), follow())
    assert (await tally.amounts(key))[0] == 666
    return len(await Parking(pool=tally.pool).waiting_of("tells", key))


async def test_nothing_joins_a_key_whose_last_parked_record_has_just_left(tally: Tally) -> None:
    assert await _race(tally, 40) == 0


async def test_without_the_lock_that_race_leaves_records_behind(
    tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking_module, "_LOCK", "SELECT 1")
    look = Parking._not_parked

    async def looks_too_early(self: Parking, connection: object, notes: object) -> set[str]:
        seen = await look(self, connection, notes)  # type: ignore[arg-type] # passed on as it came
        await asyncio.sleep(0.02)
        return seen

    monkeypatch.setattr(Parking, "_not_parked", looks_too_early)
    assert await _race(tally, 40) > 0
