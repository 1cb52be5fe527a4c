"""F01: kill -9 in the middle of a cut, between its transactions and between its cells.

One process is killed at the point; another, which only sweeps, ends what it had begun, though
nobody asks again. Before any of it people have paid in every cell, and they pay again afterwards.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts.internal import GivenAnswer
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.program import Program
from tests.conftest import MigratedDatabase
from tests.support.places import LOCAL_POLICY, ROOT
from tests.support.town_processes import Watchman
from tests.support.town_until import until
from tests.support.wallet_months import all_is_told
from tests.support.wallets import Purse, body_of, payment_of, purse_on
from wallet.domain.period import month_after

CELLS = 3
TOKEN = "service-token-of-the-tests"
RESUMED_WITHIN_SECONDS = 40.0

pytestmark = pytest.mark.rule("R15")


class Wallet:
    """Processes of one wallet, kept running; the one that answers has the port."""

    def __init__(self, watchman: Watchman, dsn: str, folder: Path) -> None:
        self._watchman, self._dsn, self._folder = watchman, dsn, folder
        self.port = free_port()

    async def begin(self, role: str, port: int) -> None:
        program = Program(
            name=role,
            command=[sys.executable, "-P", "-m", "wallet", role],
            log=self._folder / f"{role}.log",
            ready=lambda: False,
            env={
                "DATABASE_URL": self._dsn,
                "SERVICE_TOKEN": TOKEN,
                "POLICY_DIR": str(LOCAL_POLICY),
                "CELLS": str(CELLS),
                "EARLY_CUT": "true",
            },
            cwd=ROOT,
        )
        self._watchman.begin(program, port)
        await self._watchman.first_ready(role)

    async def cut(self, period: str) -> GivenAnswer:
        """Ask for it once. Raises httpx.TransportError where the process dies of it."""
        body = {"period": period, "instance": f"/v1/periods/{period}/cut"}
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            answer = await client.post(
                f"http://{LOOPBACK}:{self.port}/internal/periods/cut",
                json=body,
                headers={"authorization": f"Bearer {TOKEN}"},
            )
        return GivenAnswer.model_validate_json(answer.content)


async def one_in_each_cell(purse: Purse) -> list[UUID]:
    found: dict[int, UUID] = {}
    while len(found) < CELLS:
        one = await purse.person()
        found.setdefault(purse.cells.of_person(one), one)
    for one in found.values():
        await purse.granted(one, 10_000)
    return list(found.values())


async def pay(purse: Purse, people: list[UUID]) -> set[str]:
    """The months that payments in every cell fall into."""
    given = [await purse.do(payment_of(me, 100), me, str(uuid4())) for me in people]
    return {body_of(each)["period"] for each in given}


async def standing(purse: Purse, period: str) -> list[tuple[bool, bool]]:
    """Of each cell, whether it has cut the month, and told it."""
    found: list[tuple[bool, bool]] = []
    for pool in purse.cells.pools:
        row: Any = await pool.fetchrow("SELECT told_at FROM period_cut WHERE period = $1", period)
        found.append((row is not None, row is not None and row["told_at"] is not None))
    return found


CUT, TOLD, OPEN = (True, False), (True, True), (False, False)


@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("cut.after-flip:1", [CUT, OPEN, OPEN]),
        ("cut.after-flip:3", [CUT, CUT, CUT]),
        ("cut.after-tell:1", [TOLD, CUT, CUT]),
        ("cut.before-tell:3", [TOLD, TOLD, CUT]),
    ],
)
async def test_a_cut_that_was_killed_is_ended_by_the_sweep(
    migrated_database: MigratedDatabase,
    tmp_path: Path,
    point: str,
    left: list[tuple[bool, bool]],
) -> None:
    dsn, watchman = migrated_database("wallet", CELLS), Watchman(tmp_path / "faults")
    wallet = Wallet(watchman, dsn, tmp_path)
    try:
        async with purse_on(dsn, cells=CELLS) as purse:
            people = await one_in_each_cell(purse)
            [month] = await pay(purse, people)
            await wallet.begin("api", wallet.port)
            await watchman.arm("api", point)
            with pytest.raises(httpx.TransportError):
                await wallet.cut(month)
            await watchman.died_at("api", point.partition(":")[0], 10.0)
            assert await standing(purse, month) == left
            paid = await pay(purse, people)
            assert paid == {month_after(month) if done else month for done, _ in left}

            await wallet.begin("sweep", free_port())

            async def is_told() -> bool:
                return await standing(purse, month) == [TOLD] * CELLS

            await until(is_told, "the sweep has ended it", RESUMED_WITHIN_SECONDS)
            await watchman.ready_again("api")
            assert (await wallet.cut(month)).status == 200, "whoever asks again is answered"
            assert await pay(purse, people) == {month_after(month)}
            await all_is_told(purse, month)
            await purse.audited()
        assert watchman.surprises() == []
    finally:
        await asyncio.to_thread(watchman.leave)
