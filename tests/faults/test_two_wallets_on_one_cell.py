"""Two wallet processes behind two ports share their cells: the locks in the database are the only.

The same race without that lock is seen to overspend, so that this one proves something.
"""

from __future__ import annotations

import sys
from collections import Counter as Tally
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest

from contracts.commands import Pay
from contracts.internal import Call, Calls
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.program import Program
from tests.conftest import MigratedDatabase
from tests.support.places import LOCAL_POLICY, ROOT
from tests.support.town_people import Letter
from tests.support.town_processes import Watchman, answers
from tests.support.town_volley import volley
from tests.support.wallets import Purse, payment_of, purse_on

SPENDERS = 200
"""All together; where there are more cells, one beneficiary in each has a part of the quota."""

QUOTA_FEN = 10_000
AMOUNT_FEN = 70
TOKEN = "service-token-of-the-tests"


@asynccontextmanager
async def two_wallets(module: str, dsn: str, folder: Path, cells: int) -> AsyncIterator[list[str]]:
    """The addresses of two processes that answer for the same cells."""
    watchman = Watchman(folder)
    ports = [free_port(), free_port()]
    try:
        for number, port in enumerate(ports):
            program = Program(
                name=f"wallet-{number}",
                command=[sys.executable, "-P", "-m", module, "api"],
                log=folder / f"wallet-{number}.log",
                ready=lambda: False,
                env={
                    "DATABASE_URL": dsn,
                    "SERVICE_TOKEN": TOKEN,
                    "POLICY_DIR": str(LOCAL_POLICY),
                    "BATCH_MOST": "5",
                    "CELLS": str(cells),
                },
                cwd=ROOT,
            )
            watchman.begin(program, port)
        await watchman.first_ready(*watchman.names)
        assert all(map(answers, ports))
        yield [f"http://{LOOPBACK}:{port}" for port in ports]
        assert watchman.surprises() == []
    finally:
        watchman.leave()


async def race(urls: Sequence[str], beneficiaries: Sequence[UUID]) -> tuple[Tally[str], set[str]]:
    """All at once over both: how they ended, and which processes let somebody through."""
    letters = [
        Letter(
            method="POST",
            url=f"{urls[n // len(beneficiaries) % 2]}/internal/commands",
            headers={"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
            body=call_of(payment_of(beneficiaries[n % len(beneficiaries)], AMOUNT_FEN)),
        )
        for n in range(SPENDERS)
    ]
    outcomes: Tally[str] = Tally()
    winners: set[str] = set()
    for letter, said in zip(letters, await volley(letters), strict=True):
        [given] = said.of(200)["answers"]
        outcomes[orjson.loads(given["body"]).get("code", str(given["status"]))] += 1
        if given["status"] == 201:
            winners.add(letter.url)
    return outcomes, winners


def call_of(command: Pay) -> bytes:
    call = Call[Pay](
        caller="institution:P65900200001",
        person_id=command.person_id,
        key=str(uuid4()),
        fingerprint="0" * 64,
        instance="/v1/payments",
        command=command,
    )
    return Calls[Pay](calls=(call,)).model_dump_json().encode()


async def one_in_each_cell(purse: Purse) -> list[UUID]:
    """A beneficiary for every cell, with an equal part of the quota."""
    found: dict[int, UUID] = {}
    while len(found) < len(purse.cells.pools):
        one = await purse.person()
        found.setdefault(purse.cells.of_person(one), one)
    for one in found.values():
        await purse.granted(one, QUOTA_FEN // len(found))
    return list(found.values())


def should_succeed(cells: int) -> int:
    return QUOTA_FEN // cells // AMOUNT_FEN * cells


in_cells = pytest.mark.parametrize("cells", [1, 4])


@in_cells
async def test_two_processes_never_spend_what_one_has_spent(
    migrated_database: MigratedDatabase, tmp_path: Path, cells: int
) -> None:
    dsn, succeed = migrated_database("wallet", cells), should_succeed(cells)
    async with (
        purse_on(dsn, cells=cells) as purse,
        two_wallets("wallet", dsn, tmp_path, cells) as urls,
    ):
        beneficiaries = await one_in_each_cell(purse)
        outcomes, winners = await race(urls, beneficiaries)
        assert outcomes == {"201": succeed, "quota-insufficient": SPENDERS - succeed}
        assert len(winners) == len(urls), "both were in the race"
        for one in beneficiaries:
            [quota] = await purse.quotas(one)
            assert quota["spent"] == succeed // cells * AMOUNT_FEN
        await purse.audited()


@in_cells
async def test_without_the_lock_the_same_race_goes_wrong(
    migrated_database: MigratedDatabase, tmp_path: Path, cells: int
) -> None:
    dsn, succeed = migrated_database("wallet", cells), should_succeed(cells)
    unlocked = "tests.support.town_unlocked"
    async with (
        purse_on(dsn, cells=cells) as purse,
        two_wallets(unlocked, dsn, tmp_path, cells) as urls,
    ):
        outcomes, _ = await race(urls, await one_in_each_cell(purse))
        assert outcomes != {"201": succeed, "quota-insufficient": SPENDERS - succeed}
