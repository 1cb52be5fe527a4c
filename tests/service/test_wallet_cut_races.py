"""Cuts on real PostgreSQL that meet payments, one another, and crashes; over three cells.

Two processes' worth of cells share the database; what keeps them apart is its lock alone. The same
without that lock is seen to put a payment into a month that was cut.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
import pytest

from kit.perform import Door
from kit.refusal import Unavailable
from kit.transaction import Transaction
from policy.policy import Policy
from tests.conftest import MigratedDatabase
from tests.support.places import LOCAL_POLICY
from tests.support.town_processes import crowding
from tests.support.town_until import until
from tests.support.wallet_months import all_is_told, cut, months_of, told_of
from tests.support.wallets import Purse, body_of, code_of, job_of, payment_of, purse_on
from wallet.domain.commands import CutPeriod
from wallet.domain.patience import Insistence
from wallet.domain.period import month_after
from wallet.store import opening
from wallet.store.audits import AUDITS
from wallet.store.periods import CUT_LOCK, last_cut
from wallet.usecases import usecases

CELLS = 3
STALL_SECONDS = 1.0
LATER_THAN_ITS_CUT = AUDITS["no_line_of_a_month_is_later_than_its_cut"]

pytestmark = pytest.mark.rule("R15")


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("wallet", CELLS)


@pytest.fixture
async def purse(dsn: str) -> AsyncIterator[Purse]:
    async with purse_on(dsn, cells=CELLS) as one:
        yield one


@pytest.fixture
async def month(purse: Purse) -> str:
    """The month that is to be cut next, in every cell."""
    found = {await pool.fetchval("SELECT last_cut FROM clearing_clock") for pool in pools(purse)}
    assert len(found) == 1
    return month_after(found.pop())


def pools(purse: Purse) -> tuple[asyncpg.Pool[asyncpg.Record], ...]:
    return purse.cells.pools


async def somebody_in(purse: Purse, cell: int) -> UUID:
    while purse.cells.of_person(person_id := await purse.person()) != cell:
        pass
    await purse.granted(person_id, 100_000)
    return person_id


@dataclass(frozen=True, slots=True)
class Gate:
    """Where a payment stands still between reading the last cut and all it does after that."""

    inside: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)


def gated_door(purse: Purse, cell: int, gate: Gate, *, shares: bool) -> Door:
    """A door whose preamble shares the cut's lock, or does not, and waits at the gate."""

    async def preamble(tx: Transaction) -> str:
        # Whoever stands still is given up soon, which is no part of this race.
        await tx.fetch("SET LOCAL idle_in_transaction_session_timeout = 0")
        await tx.fetch("SET LOCAL transaction_timeout = 0")
        cut: str = await (opening.preamble(tx) if shares else last_cut(tx))
        gate.inside.set()
        await gate.opened.wait()
        return cut

    performing = usecases(Policy.load(LOCAL_POLICY), Insistence())
    return Door(pools(purse)[cell], cell, performing, preamble)


async def somebody_waits_for_the_cell_alone(purse: Purse, cell: int) -> bool:
    waiting: bool = await pools(purse)[cell].fetchval(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
        "AND mode = 'ExclusiveLock' AND classid = $1 AND objid = $2 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
        CUT_LOCK,
        cell,
    )
    return waiting


async def test_a_payment_that_has_begun_is_waited_for(purse: Purse, month: str) -> None:
    me, gate = await somebody_in(purse, 1), Gate()
    door = gated_door(purse, 1, gate, shares=True)
    paying = asyncio.create_task(door.perform([job_of(payment_of(me, 100), me, "k")]))
    await gate.inside.wait()
    cutting = asyncio.create_task(cut(months_of(purse), month))
    try:
        await until(lambda: somebody_waits_for_the_cell_alone(purse, 1), "the cut waits")
    finally:
        gate.opened.set()  # a payment that stands still keeps its pool from closing
    [paid] = await paying
    assert body_of(paid)["period"] == month
    assert await cutting == "cut"
    await all_is_told(purse, month)
    await purse.audited()


async def test_without_the_lock_it_falls_into_a_month_that_was_cut(
    purse: Purse, month: str
) -> None:
    me, gate = await somebody_in(purse, 1), Gate()
    door = gated_door(purse, 1, gate, shares=False)
    paying = asyncio.create_task(door.perform([job_of(payment_of(me, 100), me, "k")]))
    await gate.inside.wait()
    try:
        assert await cut(months_of(purse), month) == "cut"
    finally:
        gate.opened.set()
    [paid] = await paying
    assert body_of(paid)["period"] == month
    assert len(await pools(purse)[1].fetch(LATER_THAN_ITS_CUT)) == 1
    [told] = await told_of(pools(purse)[1], month)
    assert told["lines"] == [], "and nobody was told of it"


async def test_a_cut_that_cannot_have_a_cell_alone_lets_payments_through(
    dsn: str, purse: Purse, month: str
) -> None:
    """Somebody writes for ever: the cut is unavailable, and payments hardly notice it."""
    me, lasting = await somebody_in(purse, 2), await asyncpg.connect(dsn)
    await lasting.execute("SELECT pg_advisory_lock_shared($1, $2)", CUT_LOCK, 2)
    cutting = asyncio.create_task(cut(months_of(purse), month))
    await until(lambda: somebody_waits_for_the_cell_alone(purse, 2), "the cut waits")
    longest, payments = 0.0, 0
    while not cutting.done():
        since = time.monotonic()
        assert code_of(await purse.do(payment_of(me, 1), me, str(uuid4()))) == "201"
        longest, payments = max(longest, time.monotonic() - since), payments + 1
    with pytest.raises(Unavailable):
        await cutting
    assert payments > 0
    assert longest < STALL_SECONDS * crowding()
    assert (await months_of(purse).find(month)).state == "open"
    await lasting.close()
    assert await cut(months_of(purse), month) == "cut"
    await all_is_told(purse, month)
    await purse.audited()


@pytest.mark.parametrize("cells_cut", [1, 2, CELLS])
@pytest.mark.parametrize("early", [False, True])
async def test_what_a_crash_has_left_the_sweep_ends(
    purse: Purse, month: str, cells_cut: int, early: bool
) -> None:
    """Some cells had cut the month and none had told it. It was decided that it is over."""
    me = await somebody_in(purse, CELLS - 1)
    for cell in range(cells_cut):
        job = job_of(CutPeriod(period=month, early=True), uuid4())
        [done] = await purse.cells.cutting_doors[cell].perform([job])
        assert code_of(done) == "200"
    months = months_of(purse, early=early)
    assert (await months.find(month)).state == ("cut" if cells_cut == CELLS else "open")
    before = body_of(await purse.do(payment_of(me, 100), me, "before"))
    await months.resume()
    assert (await months.find(month)).state == "cut"
    assert before["period"] == (month_after(month) if cells_cut == CELLS else month)
    assert body_of(await purse.do(payment_of(me, 100), me, "after"))["period"] == month_after(month)
    await months.resume()
    await all_is_told(purse, month)
    await purse.audited()


async def test_who_asks_again_ends_it_too(purse: Purse, month: str) -> None:
    for cell, period in ((0, month), (0, month_after(month)), (1, month)):
        job = job_of(CutPeriod(period=period, early=True), uuid4())
        [done] = await purse.cells.cutting_doors[cell].perform([job])
        assert code_of(done) == "200"
    following = month_after(month_after(month))
    assert await cut(months_of(purse), following) == "cut"
    await all_is_told(purse, month, month_after(month), following)
    await purse.audited()


async def test_two_who_cut_at_once_cut_once(dsn: str, purse: Purse, month: str) -> None:
    """Callers and sweeps of two processes, several months in a row."""
    me = await somebody_in(purse, 0)
    async with purse_on(dsn, cells=CELLS) as other:
        runners = [months_of(purse), months_of(other)]
        periods = [month]
        for _ in range(3):
            said = await asyncio.gather(
                *(cut(each, periods[-1]) for each in runners),
                purse.do(payment_of(me, 10), me, str(uuid4())),
                *(cut(each, periods[-1]) for each in runners),
            )
            assert [each for each in said if isinstance(each, str)] == ["cut"] * 4
            await asyncio.gather(*(each.resume() for each in runners))
            periods.append(month_after(periods[-1]))
        await all_is_told(purse, *periods[:-1])
        for cell, pool in enumerate(pools(purse)):
            rows = await pool.fetch("SELECT period, told_at FROM period_cut ORDER BY period")
            assert [row["period"] for row in rows] == periods[:-1], cell
            assert all(row["told_at"] for row in rows)
    await purse.audited()


async def test_a_cell_that_is_away_is_waited_for(dsn: str, month: str) -> None:
    async with purse_on(dsn, cells=CELLS) as purse:
        await pools(purse)[1].close()
        with pytest.raises(Unavailable):
            await cut(months_of(purse), month)
        with pytest.raises(Unavailable):
            await months_of(purse).find(month)
    async with purse_on(dsn, cells=CELLS) as purse:
        assert await cut(months_of(purse), month) == "cut"
        await all_is_told(purse, month)
        await purse.audited()


async def test_a_cut_only_grows(purse: Purse, month: str) -> None:
    assert await cut(months_of(purse), month) == "cut"
    for statement in (
        "DELETE FROM period_cut",
        "TRUNCATE period_cut",
        "UPDATE period_cut SET cut_at = cut_at - interval '1 second'",
        "UPDATE period_cut SET told_at = clock_timestamp()",
        "UPDATE period_cut SET last_entry = 9",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await pools(purse)[0].execute(statement)
