"""Months are cut while two processes' worth of callers pay in three cells, and nobody notices.

Afterwards every line is in one month, and each month was told as its payments, allocations and
refunds add up by other code. The same without the lock is seen to go wrong.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from uuid import UUID

import pytest

from kit.commands_http import CommandDesk
from kit.refusal import Unavailable
from tests.conftest import MigratedDatabase
from tests.support.town_processes import crowding
from tests.support.wallet_load import Asking, ToldLine, wallet_load
from tests.support.wallet_months import all_is_told, cut, months_of
from tests.support.wallets import Purse, purse_on
from wallet.domain.period import month_after
from wallet.edge.http import desk_of
from wallet.store.audits import AUDITS
from wallet.store.periods import last_cut

CELLS = 3
CALLERS = 40
PEOPLE = 12
CUTS = 5
BETWEEN = 150
"""Answers from one cut to the next."""

STALL_SECONDS = 1.0
MOST_ROUNDS = 20

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.rule("R15"), pytest.mark.timeout(300)]


@asynccontextmanager
async def two_processes(dsn: str) -> AsyncIterator[tuple[list[Purse], list[CommandDesk]]]:
    async with (
        purse_on(dsn, cells=CELLS, size=3) as one,
        purse_on(dsn, cells=CELLS, size=3) as two,
    ):
        desks = [desk_of(each.cells, most=20, queue=4096) for each in (one, two)]
        yield [one, two], desks
        for desk in desks:
            await desk.close()


async def people_in_every_cell(purse: Purse) -> list[UUID]:
    """People with two sharers each, enough to spend."""
    people = [await purse.person() for _ in range(PEOPLE)]
    while {purse.cells.of_person(each) for each in people} != set(range(CELLS)):
        people = [*people[1:], await purse.person()]
    for me in people:
        await purse.granted(me, 5_000, "440300", age_days=9)
        await purse.granted(me, 10_000_000, "110000")
    return people


async def next_month(purse: Purse) -> str:
    last: str = await purse.cells.pools[0].fetchval("SELECT last_cut FROM clearing_clock")
    return month_after(last)


Window = tuple[float, float]
"""From when to when a month was being cut."""


async def cut_at_last(purse: Purse, month: str) -> Window:
    """Cut a month, and again while a cell cannot be had alone, as clerks do."""
    begin = time.monotonic()
    while True:
        try:
            assert await cut(months_of(purse), month) == "cut"
        except Unavailable:
            assert time.monotonic() < begin + 60.0
        else:
            return begin, time.monotonic()


def under_way(asked: Sequence[Asking], windows: Sequence[Window]) -> list[Asking]:
    """What was asked before a cut was over and answered after it had begun."""
    return [
        each
        for each in asked
        if any(each.since < end and each.until > begin for begin, end in windows)
    ]


def silences(asked: Sequence[Asking], windows: Sequence[Window]) -> tuple[float, float]:
    """How long nobody in a cell was answered, at most: while a month was being cut, and else."""
    longest = [0.0, 0.0]
    for cell in range(CELLS):
        answered = sorted(each.until for each in asked if each.cell == cell)
        for before, after in pairwise(answered):
            at_a_cut = any(before < end and after > begin for begin, end in windows)
            longest[not at_a_cut] = max(longest[not at_a_cut], after - before)
    return longest[0], longest[1]


async def test_no_line_is_lost_between_months_and_none_is_in_two(
    migrated_database: MigratedDatabase,
) -> None:
    async with two_processes(migrated_database("wallet", CELLS)) as (purses, desks):
        purse = purses[0]
        people, month = await people_in_every_cell(purse), await next_month(purse)
        months, windows = [], []
        async with wallet_load(purse, desks, people, CALLERS) as load:
            for number in range(CUTS):
                await load.flows(BETWEEN)
                windows.append(await cut_at_last(purses[number % 2], month))
                months.append(month)
                month = month_after(month)
            await load.flows(BETWEEN)
        await cut_at_last(purse, month)
        months.append(month)

        lines = await all_is_told(purse, *months)
        there = Counter(
            ToldLine(line.cause_id, line.quota_id, line.amount, line.period) for line in lines
        )
        assert set(there.values()) == {1}, "none is there twice"
        assert len({(line.cause_id, line.quota_id) for line in lines}) == len(lines)
        assert Counter(load.lines) <= there, "none that a caller was told of is missing or moved"
        # Reversals do not say their lines: there is nothing else that callers were not told.
        assert {line.period for line in lines} == set(months), "and none is in a month uncut"
        assert load.undone > load.charged_again > 0
        for told in months:
            cells = {purse.cells.of_thing(UUID(x.quota_id)) for x in lines if x.period == told}
            assert cells == set(range(CELLS)), "every month had lines in every cell"

        for window in windows:
            assert len(under_way(load.asked, [window])) > CELLS, "payments were there at each cut"
        stall, usual = silences(load.asked, windows)
        log.info("nobody answered for %.3f s at a cut, for %.3f s else", stall, usual)
        assert stall <= usual + STALL_SECONDS * crowding()
        await purse.audited()


async def test_without_the_lock_the_same_puts_a_line_into_a_month_that_was_cut(
    migrated_database: MigratedDatabase,
) -> None:
    async with two_processes(migrated_database("wallet", CELLS)) as (purses, desks):
        for door in (door for each in purses for door in each.cells.doors):
            door._preamble = last_cut
        purse = purses[0]
        people, month = await people_in_every_cell(purse), await next_month(purse)
        async with wallet_load(purse, desks, people, CALLERS) as load:
            for _ in range(MOST_ROUNDS):
                await load.flows(20)
                await cut_at_last(purse, month)
                month = month_after(month)
                await load.flows(20)
                if await late_lines(purse):
                    return
        pytest.fail(f"nothing went wrong in {MOST_ROUNDS} rounds: it was no race")


async def late_lines(purse: Purse) -> int:
    found = [
        await pool.fetch(AUDITS["no_line_of_a_month_is_later_than_its_cut"])
        for pool in purse.cells.pools
    ]
    return sum(map(len, found))
