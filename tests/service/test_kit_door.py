"""The door on real PostgreSQL: receipts, positions, batches, races and broken connections.

The use case of these tests is a purse: take so much from it, unless it has less.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from kit import postgres, reading
from kit.answers import Answer, answer
from kit.migrate import KIT_SCHEMA, Migration, migrate
from kit.perform import ACQUIRE_SECONDS, Door
from kit.postgres import Pool, open_pool
from kit.refusal import Busy, Refusal, Unavailable, WrongState
from kit.transaction import Transaction
from kit.work import Broken, Event, Gap, Job, Position, ReceiptKey, Skipped
from tests.conftest import MakeDatabase
from tests.support.doors import NoLock
from tests.support.wallets import settled

ALICE, BOB = UUID(int=1), UUID(int=2)
PURSES = Migration(
    name="purse/0001.sql",
    sql="CREATE TABLE purse (owner uuid PRIMARY KEY, amount bigint NOT NULL CHECK (amount >= 0))",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    owner: UUID
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    answer: Answer | Refusal
    events: Sequence[Event] = ()


class TooLittle(WrongState):
    """The purse has less."""


async def take(tx: Transaction, commands: Sequence[Take], now: datetime) -> list[Taken]:
    owners = sorted({command.owner for command in commands})
    rows = await tx.fetch("SELECT owner, amount FROM purse WHERE owner = ANY($1::uuid[])", owners)
    has: dict[UUID, int] = {row["owner"]: row["amount"] for row in rows}
    # Whoever read before the lock was held decides on the past here.
    await tx.fetch("SELECT pg_sleep(0.002)")
    decisions = [_take(has, command) for command in commands]
    await tx.write(
        "UPDATE purse SET amount = n.amount FROM unnest($1::uuid[], $2::bigint[]) "
        "AS n (owner, amount) WHERE purse.owner = n.owner",
        list(has),
        list(has.values()),
        rows=len(has),
    )
    return decisions


def _take(has: dict[UUID, int], command: Take) -> Taken:
    assert command.amount >= 0, "poison"
    if command.amount > 1_000_000:
        return Taken(answer=Busy("not kept"))
    if has[command.owner] < command.amount:
        return Taken(answer=TooLittle(f"{has[command.owner]}"))
    has[command.owner] -= command.amount
    told = Event(
        topic="purse",
        key=str(command.owner),
        type="taken",
        subject=str(command.owner),
        data=json.dumps({"left": has[command.owner]}).encode(),
    )
    return Taken(answer=answer(200, {"left": has[command.owner]}), events=(told,))


@pytest.fixture
async def dsn(make_database: MakeDatabase) -> str:
    made = make_database("door")
    kit = [
        Migration(name=f"kit/{path.name}", sql=path.read_text())
        for path in sorted(KIT_SCHEMA.glob("*.sql"))
    ]
    await migrate(made, [*kit, PURSES])
    return made


@asynccontextmanager
async def door_of(dsn: str, kind: type[Door] = Door, size: int = 4) -> AsyncIterator[Door]:
    pool = await open_pool(dsn, schema="cell_0", size=size, application_name="test-door")
    try:
        yield kind(pool, 0, {Take: take})
    finally:
        await pool.close()


@pytest.fixture
async def door(dsn: str) -> AsyncIterator[Door]:
    async with door_of(dsn) as one:
        yield one


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(dsn, schema="cell_0", application_name="test")
    await pool.execute("INSERT INTO purse (owner, amount) VALUES ($1, 100), ($2, 100)", ALICE, BOB)
    yield pool
    await pool.close()


def job(
    amount: int,
    *,
    owner: UUID = ALICE,
    key: str | None = None,
    fingerprint: bytes = b"one",
    position: Position | None = None,
) -> Job:
    receipt = None
    if key is not None:
        receipt = ReceiptKey(caller="shop", scope=owner, key=key, fingerprint=fingerprint)
    return Job(
        command=Take(owner=owner, amount=amount),
        command_id=uuid4(),
        anchors=(owner,),
        receipt=receipt,
        position=position,
        instance="/take",
    )


async def left(database: Pool, owner: UUID = ALICE) -> int:
    amount: int = await database.fetchval("SELECT amount FROM purse WHERE owner = $1", owner)
    return amount


def statuses(outcomes: Sequence[object]) -> list[int]:
    return [given.status for given in outcomes if isinstance(given, Answer)]


async def test_a_replay_is_byte_for_byte_and_has_no_second_effect(
    door: Door, database: Pool
) -> None:
    [first] = await door.perform([job(30, key="k")])
    [again] = await door.perform([job(30, key="k")])
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert (again.status, again.body) == (first.status, first.body)
    assert not first.replayed
    assert again.replayed
    assert await left(database) == 70


async def test_a_refusal_is_final_under_its_key(door: Door, database: Pool) -> None:
    [refused] = await door.perform([job(101, key="k")])
    await database.execute("UPDATE purse SET amount = 500 WHERE owner = $1", ALICE)
    [again] = await door.perform([job(101, key="k")])
    assert isinstance(refused, Answer)
    assert isinstance(again, Answer)
    assert refused.status == 409
    assert again.body == refused.body
    assert again.replayed


async def test_what_may_change_is_not_kept(door: Door, database: Pool) -> None:
    [busy] = await door.perform([job(2_000_000, key="k")])
    assert statuses([busy]) == [429]
    assert await database.fetchval("SELECT count(*) FROM receipt") == 0


async def test_a_key_used_for_something_else_is_refused(door: Door, database: Pool) -> None:
    await door.perform([job(1, key="k")])
    [other] = await door.perform([job(2, key="k", fingerprint=b"two")])
    assert isinstance(other, Answer)
    assert '"code":"key-reused"' in other.body
    assert await left(database) == 99


async def test_twins_in_one_batch_get_one_effect(door: Door, database: Pool) -> None:
    outcomes = await door.perform(
        [job(10, key="k"), job(10, key="k"), job(5, key="k", fingerprint=b"two")]
    )
    assert statuses(outcomes) == [200, 200, 422]
    assert await left(database) == 90


async def test_one_poison_command_in_two_hundred_hurts_only_itself(
    door: Door, database: Pool
) -> None:
    jobs = [job(-1 if n == 137 else 0, key=f"k{n}") for n in range(200)]
    outcomes = await door.perform(jobs)
    assert isinstance(outcomes[137], Broken)
    assert statuses(outcomes) == [200] * 199
    assert await database.fetchval("SELECT count(*) FROM receipt") == 199
    assert await database.fetchval("SELECT count(*) FROM outbox") == 199


async def test_sequences_have_no_gap_and_follow_the_order_of_commands(
    door: Door, database: Pool
) -> None:
    await door.perform([job(1), job(2, owner=BOB), job(3), job(4)])
    await door.perform([job(5, owner=BOB), job(6)])
    rows = await database.fetch("SELECT key, sequence, data FROM outbox ORDER BY position")
    alice = [
        (row["sequence"], json.loads(row["data"])["left"])
        for row in rows
        if row["key"] == str(ALICE)
    ]
    assert alice == [(1, 99), (2, 96), (3, 92), (4, 86)]
    assert [row["sequence"] for row in rows if row["key"] == str(BOB)] == [1, 2]


async def test_positions_move_one_by_one(door: Door, database: Pool) -> None:
    def at(sequence: int) -> Position:
        return Position(source="/purse", topic="t", key="a", sequence=sequence)

    outcomes = await door.perform(
        [job(1, position=at(1)), job(1, position=at(1)), job(1, position=at(3))]
    )
    assert statuses(outcomes[:1]) == [200]
    assert outcomes[1:] == [Skipped(last=1), Gap(expected=2, found=3)]
    moved = Job(command=None, command_id=uuid4(), anchors=(), position=at(2))
    outcomes = await door.perform([moved, job(1, position=at(3))])
    assert statuses(outcomes) == [204, 200]
    assert await left(database) == 98


async def race(dsn: str, kind: type[Door], jobs: Sequence[Job], doors: int = 2) -> list[Any]:
    """Perform each job in a batch of its own, all let go at once, through several doors."""
    barrier = asyncio.Barrier(len(jobs))
    async with door_of(dsn, kind, size=len(jobs)) as one, door_of(dsn, kind, size=len(jobs)) as two:
        both = [one, two][:doors]

        async def runner(n: int, racing: Job) -> Any:
            at = both[n % doors]
            await settled(at, job(0, owner=UUID(int=2), key=f"k{n}"))  # its connection is open now
            await barrier.wait()
            return await (at.perform([racing]) if racing.receipt is None else settled(at, racing))

        return await asyncio.gather(*(runner(n, racing) for n, racing in enumerate(jobs)))


async def test_two_processes_never_take_more_than_there_is(dsn: str, database: Pool) -> None:
    outcomes = await race(dsn, Door, [job(30) for _ in range(8)])
    assert sorted(statuses([given for [given] in outcomes])) == [200] * 3 + [409] * 5
    assert await left(database) == 10


async def test_without_the_lock_the_same_race_takes_too_much(dsn: str, database: Pool) -> None:
    outcomes = await race(dsn, NoLock, [job(30) for _ in range(8)])
    taken = statuses([given for [given] in outcomes if isinstance(given, Answer)]).count(200)
    assert taken > 3


async def test_fifty_at_once_under_one_key_make_one_effect(dsn: str, database: Pool) -> None:
    outcomes = await race(dsn, Door, [job(30, key="k") for _ in range(50)])
    given = [one for [one] in outcomes]
    assert {one.body for one in given} == {'{"left":70}'}
    assert [one.replayed for one in given].count(False) == 1
    assert await left(database) == 70


async def test_a_backend_killed_in_the_middle_is_tried_once_more(dsn: str, database: Pool) -> None:
    killed: list[int] = []

    async def killing(tx: Transaction, commands: Sequence[Take], now: datetime) -> list[Taken]:
        if not killed:
            killed.append(await tx.fetchval("SELECT pg_backend_pid()"))
            await database.fetchval("SELECT pg_terminate_backend($1)", killed[0])
        return await take(tx, commands, now)

    pool = await open_pool(dsn, schema="cell_0", application_name="test-door")
    [given] = await Door(pool, 0, {Take: killing}).perform([job(30, key="k")])
    await pool.close()
    assert killed, "the fault did not happen"
    assert isinstance(given, Answer)
    assert given.status == 200
    assert await left(database) == 70


async def test_a_database_that_stays_away_is_unavailable(dsn: str, database: Pool) -> None:
    async def killing(tx: Transaction, commands: Sequence[Take], now: datetime) -> list[Taken]:
        pid = await tx.fetchval("SELECT pg_backend_pid()")
        await database.fetchval("SELECT pg_terminate_backend($1)", pid)
        return await take(tx, commands, now)

    pool = await open_pool(dsn, schema="cell_0", application_name="test-door")
    with pytest.raises(Unavailable):
        await Door(pool, 0, {Take: killing}).perform([job(30, key="k")])
    await pool.close()
    assert await left(database) == 100


async def test_who_finds_no_connection_is_told_so_once_and_soon(dsn: str, database: Pool) -> None:
    pool = await open_pool(dsn, schema="cell_0", size=1, application_name="test-door")
    async with pool.acquire():
        asked = time.monotonic()
        with pytest.raises(Unavailable):
            await Door(pool, 0, {Take: take}).perform([job(30, key="k")])
        assert time.monotonic() - asked < 2 * ACQUIRE_SECONDS
    assert await left(database) == 100
    await pool.close()


async def test_a_connection_that_comes_back_slowly_repeats_nothing(
    dsn: str, database: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reset: list[object] = []

    async def slowly(connection: object) -> None:
        await asyncio.sleep(2 * max(ACQUIRE_SECONDS, reading.ACQUIRE_SECONDS))
        reset.append(connection)

    with monkeypatch.context() as patched:
        # What a pool does with a connection that comes back.
        patched.setattr(postgres, "_leave", slowly)
        pool = await open_pool(dsn, schema="cell_0", size=1, application_name="test-door")
        # Without a key, so that a second time would take it twice.
        assert statuses(await Door(pool, 0, {Take: take}).perform([job(30)])) == [200]
        async with reading.reading(pool) as tx:
            assert await tx.fetchval("SELECT amount FROM purse WHERE owner = $1", ALICE) == 70
    assert len(reset) == 2, "both came back, slowly"
    assert await left(database) == 70
    await pool.close()


async def test_an_update_of_a_receipt_raises(door: Door, database: Pool) -> None:
    await door.perform([job(30, key="k")])
    with pytest.raises(asyncpg.RestrictViolationError, match="only grow"):
        await database.execute("UPDATE receipt SET status = 201")
