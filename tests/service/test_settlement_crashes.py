"""F24: clearing killed at each step and begun again, many runners at once: nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from contracts import events
from kit import perform
from kit.records import Raw
from kit.work import Broken, Job
from settlement.domain.commands import BalancePeriod, ClosePeriod
from settlement.edge.kafka import SETTLEMENT
from tests.conftest import MigratedDatabase
from tests.support.doors import NoLock
from tests.support.settlements import (
    Clearing,
    answered,
    clearing_on,
    paid,
    topped_up,
)
from tests.support.teller_wallet import BEIJING, SHENZHEN, TellerWallet, record_of

GUANGDONG, XPCC = "440000", "660000"
POINTS = ("door.after-begin", "door.after-locks", "door.before-commit", "door.after-commit")
RUNNERS = 6


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("settlement")


class Killed(BaseException):
    """The process is gone: nothing catches it."""


class Killer:
    """Kills whoever passes a point for the nth time, once."""

    def __init__(self, point: str, nth: int) -> None:
        self.point, self.left, self.killed = point, nth, False

    def __call__(self, name: str) -> None:
        if name != self.point or self.killed:
            return
        self.left -= 1
        if self.left == 0:
            self.killed = True
            raise Killed(name)


def month() -> list[Raw]:
    """A whole month as records: payments, deposits, the cut; a second cell that tells late."""
    wallet = TellerWallet(cells=2)
    for fen in range(1, 11):
        payment = wallet.capture((SHENZHEN, 100 * fen), (BEIJING, fen))
    wallet.refund(payment, 50, 0)
    source = f"/provinces/{GUANGDONG}"
    deposit = record_of(f"from.{GUANGDONG}", GUANGDONG, topped_up(XPCC, 6000), source=source)
    return [*wallet.take(), deposit, *wallet.cut("2026-11")]


def answers() -> list[Raw]:
    """What the provinces say once it was issued: one of them disputes first, one pays in parts."""
    said: list[tuple[str, Any]] = [
        (GUANGDONG, answered("disputed")),
        (GUANGDONG, paid(GUANGDONG, XPCC, 5000)),
        (XPCC, answered()),
        (GUANGDONG, answered()),
        ("110000", answered()),
        ("110000", paid("110000", XPCC, 55)),
        (GUANGDONG, paid(GUANGDONG, XPCC, 450)),
    ]
    return [
        record_of(f"from.{province}", "2026-11", body, source=f"/provinces/{province}")
        for province, body in said
    ]


async def cleared(dsn: str, told: Sequence[Raw], said: Sequence[Raw], size: int) -> None:
    """One process's life: whatever it finds, it brings the month to its end."""
    async with clearing_on(dsn, size=2) as one:
        for start in range(0, len(told), size):
            await one.hear(told[start : start + size])
        await one.room.balance_level()
        assert (await one.issue()).status == 200
        await one.hear(said)
        assert (await one.close()).body["state"] == "closed"


async def outcome(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that a month leaves, but for its instants."""
    async with clearing_on(dsn) as one:
        await one.audited()
        assert await one.parked() == []
        statements = [
            (await one.statement("national")).text,
            (await one.statement("province", admdvs=GUANGDONG)).text,
        ]
        queries = {
            "lines": "SELECT cause_id, quota_id, period, amount FROM line ORDER BY 1, 2",
            "period": "SELECT period, state, version, digest FROM period",
            "answers": "SELECT answer_id, answer FROM answer ORDER BY 1",
            "transfers": "SELECT transfer_id, amount FROM transfer ORDER BY 1",
            "prefunds": "SELECT debtor, creditor, deposited, used FROM prefund ORDER BY 1, 2",
            "told": f"""
                SELECT topic, key, sequence, type, subject FROM outbox
                WHERE type <> '{events.PrefundChanged.TYPE}' ORDER BY 1, 2, 3
            """,
        }
        found = {
            name: [tuple(row) for row in await one.pool.fetch(sql)] for name, sql in queries.items()
        }
        return {**found, "statements": [(text,) for text in statements]}


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_each_step_and_begun_again_it_ends_the_same(
    migrated_database: MigratedDatabase, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    told, said = month(), answers()
    calm = migrated_database("settlement")
    await cleared(calm, told, said, 4)
    expected = await outcome(calm)

    # In its nth life it dies at its nth step: of those before it finds the traces.
    dsn, deaths = migrated_database("settlement"), 0
    while True:
        killer = Killer(point, deaths + 1)
        monkeypatch.setattr(perform, "faultpoint", killer)
        try:
            await cleared(dsn, told, said, 4)
        except Killed:
            deaths += 1
            continue
        assert not killer.killed
        break
    # Each batch of lines, each cell's cut, the balance, the issue, each answer, the close.
    assert deaths >= 12
    assert await outcome(dsn) == expected


Step = Callable[[Clearing], Awaitable[Any]]


async def at_once(many: Sequence[Clearing], step: Step) -> list[Any]:
    """The same step in every process at the same moment."""
    barrier = asyncio.Barrier(len(many))

    async def run(one: Clearing) -> Any:
        await barrier.wait()
        return await step(one)

    return await asyncio.gather(*(run(one) for one in many))


@pytest.fixture
async def many(dsn: str) -> AsyncIterator[list[Clearing]]:
    """Several processes, each with its connection open."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(clearing_on(dsn, size=1)) for _ in range(RUNNERS)]


async def test_many_runners_at_each_step_take_it_once(many: list[Clearing]) -> None:
    told, said = month(), answers()
    for start in range(0, len(told), 5):
        await at_once(many, lambda one, at=start: one.hear(told[at : at + 5]))  # type: ignore[misc] # bound now
    await at_once(many, lambda one: one.room.balance_level())
    first = await at_once(many, lambda one: one.issue())
    assert len(set(first)) == 1
    for raw in said:
        await at_once(many, lambda one, raw=raw: one.hear([raw]))  # type: ignore[misc] # bound now
    closed = await at_once(many, lambda one: one.close())
    assert {each.body["state"] for each in closed} == {"closed"}
    one = many[0]
    states = ["cut", "balanced", "issued", "confirmed", "paid", "closed"]
    assert await one.states_told() == states
    assert await one.prefund(GUANGDONG, XPCC) == (6000, 0, 0, "green")
    assert await one.parked() == []
    await one.audited()


def job(command: object) -> Job:
    return Job(command=command, command_id=SETTLEMENT, anchors=(SETTLEMENT,))


async def test_without_the_lock_runners_break_and_the_month_is_still_closed_once(
    dsn: str,
) -> None:
    """That they raced: the rows that each counts are all that is left to stop them."""
    async with AsyncExitStack() as stack:
        many = [
            await stack.enter_async_context(clearing_on(dsn, size=1, door=NoLock))
            for _ in range(RUNNERS)
        ]
        one = many[0]
        for number in range(1, 13):
            period = f"2026-{number:02}"
            for raw in TellerWallet().cut(period):
                await one.hear([raw])
            assert (await one.issue(period)).body["state"] == "paid"
            outcomes = await at_once(
                many,
                lambda each, at=period: each.room.door.perform([job(ClosePeriod(period=at))]),  # type: ignore[misc] # bound now
            )
            assert (await one.states_told(period)).count("closed") == 1
            if any(isinstance(found, Broken) for [found] in outcomes):
                break
        else:
            raise AssertionError("no two of them ever met")
        await one.audited()


async def test_a_line_that_comes_between_comparison_and_lock_is_seen(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clearing_on(dsn) as one:
        wallet = TellerWallet(cells=2)
        while {line.cell for line in wallet.lines} != {0, 1}:
            wallet.capture((SHENZHEN, 500))
        first, *rest = wallet.take()
        cuts = wallet.cut("2026-11")
        await one.hear(rest)
        await one.hear(cuts)
        compared = {0: 0, 1: 0} | {
            row["cell"]: row["lines"] for row in await one.pool.fetch("SELECT * FROM received")
        }
        command = BalancePeriod(period="2026-11", compared=compared)
        monkeypatch.setattr(one.room, "_balance", _nothing)
        await one.hear([first])
        [refused] = await one.room.door.perform([job(command)])
        assert getattr(refused, "status", None) == 409
        assert await one.state() == "cut"
        monkeypatch.undo()
        await one.room.balance_level()
        assert await one.state() == "balanced"
        await one.audited()


async def _nothing(*_: object) -> None:
    """Leave the month to the test."""
