"""Payments on real PostgreSQL: what is written, what is told, and races for one quota."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from contracts import events
from contracts.vocabulary import MOST_FEN
from kit.answers import Answer
from kit.perform import Door
from kit.work import Broken
from tests.conftest import MigratedDatabase
from tests.support.doors import NoLock
from tests.support.wallets import Purse, body_of, code_of, job_of, payment_of, purse_on, race
from wallet.domain.commands import OpenQuota, RecordFreeze, RecordOrderAnswer
from wallet.domain.orders import OrderKind


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("wallet")


@pytest.fixture
async def purse(dsn: str) -> AsyncIterator[Purse]:
    async with purse_on(dsn) as one:
        yield one
        await one.audited()


async def told(purse: Purse, type_: str) -> list[dict[str, object]]:
    rows = await purse.cells.pools[0].fetch(
        "SELECT data FROM outbox WHERE type = $1 ORDER BY position", type_
    )
    return [orjson.loads(row["data"]) for row in rows]


async def test_a_payment_over_two_sharers_takes_the_older_relation_first(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000, "110000", age_days=1)
    await purse.granted(me, 3_000, "440300", age_days=9)
    given = body_of(await purse.do(payment_of(me, 4_000), me, "k1"))
    assert [(part["sharer_admdvs"], part["amount_fen"]) for part in given["allocations"]] == [
        ("440300", 3_000),
        ("110000", 1_000),
    ]
    assert given["state"] == "captured"
    older, younger = await purse.quotas(me)
    assert (older["available"], older["spent"]) == (0, 3_000)
    assert (younger["available"], younger["spent"]) == (4_000, 1_000)
    [captured] = await told(purse, events.PaymentCaptured.TYPE)
    events.PaymentCaptured.model_validate_json(orjson.dumps(captured))
    debits = await told(purse, events.DebitOrdered.TYPE)
    assert [(debit["pool_admdvs"], debit["amount_fen"]) for debit in debits] == [
        ("440300", 3_000),
        ("110000", 1_000),
    ]
    for debit in debits:
        events.DebitOrdered.model_validate_json(orjson.dumps(debit))


async def test_a_province_confirms_a_debit_once(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000)
    await purse.do(payment_of(me, 4_000), me)
    [debit] = await told(purse, events.DebitOrdered.TYPE)
    answer = RecordOrderAnswer(
        province="440000", order_id=UUID(str(debit["order_id"])), kind=OrderKind.DEBIT
    )
    assert code_of(await purse.do(answer, me)) == "200"
    assert code_of(await purse.do(answer, me)) == "200"
    unknown = RecordOrderAnswer(province="440000", order_id=uuid4(), kind=OrderKind.DEBIT)
    assert code_of(await purse.do(unknown, me)) == "not-found"
    rows = await purse.cells.pools[0].fetch("SELECT state FROM account_order WHERE kind = 'debit'")
    assert [row["state"] for row in rows] == ["confirmed"]


async def test_a_freeze_is_granted_once_and_never_taken_back(purse: Purse) -> None:
    me = await purse.person()
    relation = await purse.relation(me)
    await purse.wish(relation, 700)
    assert code_of(await purse.wish(relation, 900)) == "wrong-state"
    [freeze_id] = await purse.freezes(me)
    yes = RecordFreeze(province="440000", freeze_id=freeze_id, confirmed=True)
    assert code_of(await purse.do(yes, me)) == "200"
    assert code_of(await purse.do(yes, me)) == "200"
    no = RecordFreeze(province="440000", freeze_id=freeze_id, confirmed=False, reason="late")
    assert code_of(await purse.do(no, me)) == "wrong-state"
    assert [quota["available"] for quota in await purse.quotas(me)] == [700]
    assert len(await told(purse, events.QuotaGranted.TYPE)) == 1


@pytest.mark.rule("R7")
async def test_only_the_sharers_own_province_answers_for_the_account(purse: Purse) -> None:
    me = await purse.person()
    relation = await purse.relation(me)
    await purse.wish(relation, 700)
    [freeze_id] = await purse.freezes(me)
    foreign = RecordFreeze(province="660000", freeze_id=freeze_id, confirmed=True)
    assert code_of(await purse.do(foreign, me)) == "not-found"
    assert [quota["state"] for quota in await purse.quotas(me)] == ["freezing"]
    await purse.do(RecordFreeze(province="440000", freeze_id=freeze_id, confirmed=True), me)
    await purse.do(payment_of(me, 400), me)
    [debit] = await told(purse, events.DebitOrdered.TYPE)
    answer = RecordOrderAnswer(
        province="660000", order_id=UUID(str(debit["order_id"])), kind=OrderKind.DEBIT
    )
    assert code_of(await purse.do(answer, me)) == "not-found"
    rows = await purse.cells.pools[0].fetch("SELECT state FROM account_order WHERE kind = 'debit'")
    assert [row["state"] for row in rows] == ["sent"]


async def test_no_quota_can_be_granted_more_than_a_field_can_say(purse: Purse) -> None:
    me = await purse.person()
    relation = await purse.granted(me, MOST_FEN)
    assert (await purse.wish(relation, 0)).status == 202
    assert code_of(await purse.wish(relation, 1)) == "invalid"


async def test_a_refused_raise_leaves_what_was_granted(purse: Purse) -> None:
    me = await purse.person()
    relation = await purse.granted(me, 700)
    await purse.wish(relation, 900)
    [freeze_id] = await purse.freezes(me)
    await purse.do(
        RecordFreeze(province="440000", freeze_id=freeze_id, confirmed=False, reason="too poor"), me
    )
    [quota] = await purse.quotas(me)
    assert (quota["state"], quota["available"], quota["refusal"]) == ("active", 700, "too poor")


async def test_lowering_returns_the_difference_at_once(purse: Purse) -> None:
    me = await purse.person()
    relation = await purse.granted(me, 700)
    assert body_of(await purse.wish(relation, 200))["available_fen"] == 200
    [ordered] = await told(purse, events.UnfreezeOrdered.TYPE)
    assert ordered["amount_fen"] == 500
    [quota] = await purse.quotas(me)
    assert (quota["granted"], quota["returned"]) == (700, 500)


async def test_a_relation_told_twice_opens_one_quota(purse: Purse) -> None:
    me = await purse.person()
    relation = await purse.relation(me)
    await purse.do(OpenQuota(relation=relation), me)
    assert len(await purse.quotas(me)) == 1
    assert len(await told(purse, events.QuotaOpened.TYPE)) == 1


async def test_a_refused_payment_stays_refused_when_money_comes(purse: Purse) -> None:
    me = await purse.person()
    relation = await purse.granted(me, 100)
    refused = await purse.do(payment_of(me, 500), me, "k")
    assert code_of(refused) == "quota-insufficient"
    await purse.wish(relation, 1_000)
    [freeze_id] = await purse.freezes(me)
    await purse.do(RecordFreeze(province="440000", freeze_id=freeze_id, confirmed=True), me)
    # The presence differs in time only, so the key is the same request's.
    rows = await purse.cells.pools[0].fetch("SELECT status, body FROM receipt WHERE key = 'k'")
    assert isinstance(refused, Answer)
    assert [(row["status"], row["body"]) for row in rows] == [(422, refused.body)]


async def test_an_expired_presence_is_not_remembered(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 1_000)
    stale = payment_of(me, 10, presence_expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert code_of(await purse.do(stale, me, "k")) == "presence-expired"
    assert code_of(await purse.do(payment_of(me, 10), me, "k")) == "201"


async def test_a_replay_needs_no_live_presence(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 1_000)
    command = payment_of(me, 10)
    job = job_of(command, me, "k")
    [first] = await purse.cells.doors[0].perform([job])
    stale = command.model_copy(update={"presence_expires_at": datetime(2026, 1, 1, tzinfo=UTC)})
    receipt = job.receipt
    again = job_of(stale, me)
    [replayed] = await purse.cells.doors[0].perform(
        [type(job)(command=again.command, command_id=uuid4(), anchors=(me,), receipt=receipt)]
    )
    assert isinstance(first, Answer)
    assert isinstance(replayed, Answer)
    assert replayed.body == first.body
    assert replayed.replayed


in_cells = pytest.mark.parametrize("cells", [1, 4])


@asynccontextmanager
async def two_purses(
    migrated_database: MigratedDatabase, cells: int, door: type[Door] = Door
) -> AsyncIterator[tuple[Purse, Purse]]:
    """Two processes on the same cells, with enough connections for a race."""
    dsn = migrated_database("wallet", cells)
    async with (
        purse_on(dsn, cells=cells, size=25, door=door) as one,
        purse_on(dsn, cells=cells, size=25, door=door) as two,
    ):
        yield one, two


@in_cells
async def test_two_hundred_at_once_spend_exactly_what_there_is(
    migrated_database: MigratedDatabase, cells: int
) -> None:
    async with two_purses(migrated_database, cells) as (one, two):
        me = await one.person()
        await one.granted(me, 10_000)
        sizes = [job_of(payment_of(me, 300), me, f"k{n}") for n in range(40)]
        outcomes = []
        for n in range(5):
            jobs = [job_of(payment_of(me, 300), me, f"{n}-{m}") for m in range(len(sizes))]
            outcomes += await race([one, two], me, jobs)
        assert len(outcomes) == 200
        assert Counter(map(code_of, outcomes)) == {"201": 33, "quota-insufficient": 167}
        [quota] = await one.quotas(me)
        assert (quota["available"], quota["spent"]) == (100, 9_900)
        await one.audited()


@in_cells
async def test_without_the_lock_the_race_for_a_quota_is_lost(
    migrated_database: MigratedDatabase, cells: int
) -> None:
    async with two_purses(migrated_database, cells, NoLock) as (one, two):
        me = await one.person()
        await one.granted(me, 10_000)
        jobs = [job_of(payment_of(me, 300), me, f"k{n}") for n in range(40)]
        outcomes = await race([one, two], me, jobs)
        # Whoever decided on what was no longer true writes no row, and is caught by the count.
        assert any(isinstance(outcome, Broken) for outcome in outcomes)


@in_cells
async def test_fifty_times_one_key_is_one_payment(
    migrated_database: MigratedDatabase, cells: int
) -> None:
    async with two_purses(migrated_database, cells) as (one, two):
        me = await one.person()
        await one.granted(me, 10_000)
        job = job_of(payment_of(me, 300), me, "k")
        outcomes = await race([one, two], me, [job] * 50)
        assert len({outcome.body for outcome in outcomes if isinstance(outcome, Answer)}) == 1
        assert Counter(map(code_of, outcomes)) == {"201": 50}
        assert await one.pool_of(me).fetchval("SELECT count(*) FROM payment") == 1
        await one.audited()


async def test_a_batch_of_two_hundred_with_one_poison_command(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 100_000)
    poison = payment_of(me, 5).model_copy(update={"bill": None})
    jobs = [job_of(poison if n == 77 else payment_of(me, 5), me, f"k{n}") for n in range(200)]
    outcomes = await purse.cells.doors[0].perform(jobs)
    assert isinstance(outcomes[77], Broken)
    others = [outcome for n, outcome in enumerate(outcomes) if n != 77]
    assert Counter(map(code_of, others)) == {"201": 199}
    [quota] = await purse.quotas(me)
    assert quota["spent"] == 199 * 5


async def test_books_cannot_be_changed_behind_the_door(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 1_000)
    pool = purse.cells.pools[0]
    with pytest.raises(asyncpg.RestrictViolationError):
        await pool.execute("UPDATE entry SET amount = 1")
    with pytest.raises(asyncpg.RestrictViolationError):
        await pool.execute("DELETE FROM payment")
    with pytest.raises(asyncpg.CheckViolationError, match="quota_conserves_money"):
        await pool.execute("UPDATE quota SET available = 999999")
    with pytest.raises(asyncpg.CheckViolationError, match="never_overdrawn"):
        await pool.execute("UPDATE quota SET available = -1, spent = 1001")
