"""A month is balanced when every cell's totals are what was received, and not before (I9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from settlement.domain.line import line_hash
from tests.conftest import MigratedDatabase
from tests.support.settlements import Clearing, clearing_on
from tests.support.teller_wallet import (
    BEIJING,
    GUANGZHOU,
    SHENZHEN,
    Kept,
    TellerWallet,
)


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("settlement")


@pytest.fixture
async def clearing(dsn: str) -> AsyncIterator[Clearing]:
    async with clearing_on(dsn) as one:
        yield one
        await one.audited()


def difference(line: Kept, what: str, count: int, fen: int, *named: str) -> dict[str, object]:
    return {
        "cell": line.cell,
        "debtor": line.debtor,
        "creditor": line.creditor,
        "kind": line.kind,
        "what": what,
        "count": count,
        "sum_fen": fen,
        "named": list(named),
    }


async def differs(clearing: Clearing) -> list[dict[str, object]]:
    found = (await clearing.find()).body
    assert found["state"] == "cut"
    return list(found["differences"])


def test_a_hash_is_that_of_the_contract() -> None:
    cause, quota = (
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "01890a5d-ac96-774b-bcce-b302099a8058",
    )
    assert f"{line_hash(cause, quota, -200):016x}" == "1bb08a108d1319b3"


@given(st.uuids(), st.uuids(), st.integers(-(10**15), 10**15).filter(bool))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_database_hashes_a_line_as_the_code_does(
    clearing: Clearing, cause: UUID, quota: UUID, amount: int
) -> None:
    found = await clearing.pool.fetchval("SELECT line_hash($1, $2, $3)::text", cause, quota, amount)
    assert int(found) == line_hash(str(cause), str(quota), amount)


async def test_lines_and_cut_in_any_order_balance_a_month(clearing: Clearing) -> None:
    wallet = TellerWallet()
    paid = wallet.capture((SHENZHEN, 500), (BEIJING, 300))
    wallet.refund(paid, 100, 0)
    first, last = wallet.take()
    await clearing.hear([first])
    assert (await clearing.find()).status == 404
    await clearing.hear(wallet.cut("2026-11"))
    assert await clearing.state() == "cut"
    await clearing.hear([last])
    found = (await clearing.find()).body
    assert (found["state"], found["count"], found["sum_fen"]) == ("balanced", 3, 700)
    assert (found["cells"], found["cells_heard"], found["differences"]) == (1, 1, [])
    assert await clearing.states_told() == ["cut", "balanced"]


async def test_an_empty_month_is_balanced(clearing: Clearing) -> None:
    wallet = TellerWallet(cells=2)
    one, two = wallet.cut("2026-11")
    await clearing.hear([one])
    assert await clearing.state() == "cut"
    await clearing.hear([two])
    found = (await clearing.find()).body
    assert (found["state"], found["count"], found["sum_fen"]) == ("balanced", 0, 0)


async def test_a_late_cell_is_waited_for(clearing: Clearing) -> None:
    wallet = TellerWallet(cells=3)
    for fen in range(1, 13):
        wallet.capture((SHENZHEN, fen))
    assert {line.cell for line in wallet.lines} == {0, 1, 2}
    await clearing.hear(wallet.take())
    one, late, three = wallet.cut("2026-11")
    await clearing.hear([three, one])
    found = (await clearing.find()).body
    assert (found["state"], found["cells_heard"], found["differences"]) == ("cut", 2, [])
    assert (await clearing.issue()).code == "wrong-state"
    await clearing.hear([late])
    assert await clearing.state() == "balanced"


async def test_a_lost_event_is_named_by_its_group(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500))
    wallet.capture((SHENZHEN, 20))
    wallet.capture((BEIJING, 7))
    kept, lost, other = wallet.take()
    await clearing.hear([kept, other, *wallet.cut("2026-11")])
    assert await differs(clearing) == [difference(wallet.lines[1], "missing", 1, 20)]
    assert (await clearing.issue()).code == "wrong-state"
    # It comes at last.
    await clearing.hear([lost])
    assert await clearing.state() == "balanced"


async def test_a_line_that_the_wallet_has_twice_is_named(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500))
    wallet.capture((SHENZHEN, 500))
    await clearing.hear(wallet.take())
    twice = wallet.lines[1]
    await clearing.hear(wallet.cut("2026-11", [*wallet.lines, twice]))
    assert await differs(clearing) == [difference(twice, "missing", 1, 500, twice.name)]


async def test_a_doubled_event_is_named_by_its_line(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500))
    lines = list(wallet.lines)
    wallet.capture((SHENZHEN, 500))
    double = wallet.lines[-1]
    await clearing.hear(wallet.take())
    await clearing.hear(wallet.cut("2026-11", lines))
    assert await differs(clearing) == [difference(double, "extra", -1, -500, double.name)]


async def test_a_changed_amount_is_named_by_its_line(clearing: Clearing) -> None:
    wallet = TellerWallet()
    for fen in (500, 20, 500):
        wallet.capture((SHENZHEN, fen))
    await clearing.hear(wallet.take())
    changed = wallet.lines[1]
    lines = [line if line is not changed else replace(line, amount=21) for line in wallet.lines]
    await clearing.hear(wallet.cut("2026-11", lines))
    assert await differs(clearing) == [difference(changed, "changed", 0, 1, changed.name)]


async def test_a_changed_pool_differs_in_two_groups_though_all_sums_are_level(
    clearing: Clearing,
) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500))
    wallet.capture((GUANGZHOU, 40))
    await clearing.hear(wallet.take())
    moved = wallet.lines[0]
    lines = [replace(moved, debtor=GUANGZHOU), wallet.lines[1]]
    await clearing.hear(wallet.cut("2026-11", lines))
    await clearing.room.balance_level()
    assert await differs(clearing) == [
        difference(replace(moved, debtor=GUANGZHOU), "missing", 1, 500),
        difference(moved, "extra", -1, -500, moved.name),
    ]


async def test_two_lines_for_two_others_are_a_difference_that_no_line_explains(
    clearing: Clearing,
) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500))
    wallet.capture((SHENZHEN, 20))
    await clearing.hear(wallet.take())
    lines = [replace(line, amount=260) for line in wallet.lines]
    await clearing.hear(wallet.cut("2026-11", lines))
    assert await differs(clearing) == [difference(wallet.lines[0], "changed", 0, 0)]


async def test_lines_of_a_cell_that_the_wallet_does_not_have_keep_the_month_cut(
    clearing: Clearing,
) -> None:
    wallet = TellerWallet(cells=2)
    while {line.cell for line in wallet.lines} != {0, 1}:
        wallet.capture((SHENZHEN, 500))
    await clearing.hear(wallet.take())
    alone = TellerWallet(cells=1)
    [cut] = alone.cut("2026-11", [line for line in wallet.lines if line.cell == 0])
    await clearing.hear([cut])
    found = await differs(clearing)
    assert [(each["cell"], each["what"]) for each in found] == [(1, "extra")]


async def test_a_cell_tells_once(clearing: Clearing) -> None:
    wallet = TellerWallet(cells=2)
    wallet.capture((SHENZHEN, 500))
    await clearing.hear(wallet.take())
    lines = wallet.of_month("2026-11")
    first = wallet.cut_of_cell("2026-11", 0, lines)
    same = wallet.cut_of_cell("2026-11", 0, lines)
    await clearing.hear([first, same, first])
    assert await clearing.parked() == []
    assert (await clearing.find()).body["cells_heard"] == 1
    another = wallet.cut_of_cell("2026-11", 0, [replace(each, amount=1, cell=0) for each in lines])
    await clearing.hear([another])
    assert await clearing.parked() == ["CutDiffers"]


@pytest.mark.parametrize(
    ("cell", "cells", "source", "reason"),
    [
        (0, 1, "/wallet/cell-0", "CutDiffers"),
        (2, 2, "/wallet/cell-2", "CutDiffers"),
        (1, 2, "/wallet/cell-0", "foreign-cell"),
        (0, 2, "/relations", "foreign-source"),
    ],
)
async def test_a_cut_that_contradicts_is_parked(
    clearing: Clearing, cell: int, cells: int, source: str, reason: str
) -> None:
    two = TellerWallet(cells=2)
    await clearing.hear([two.cut_of_cell("2026-11", 1, [])])
    [raw] = [TellerWallet(cells=cells).cut_of_cell("2026-11", cell, [])]
    headers = tuple(
        (name, source.encode() if name == "ce_source" else value) for name, value in raw.headers
    )
    await clearing.hear([replace(raw, headers=headers)])
    assert await clearing.parked() == [reason]
    assert (await clearing.find()).body["cells_heard"] == 1
