"""Cells: however many there are, the answers and totals are the same, and a payment is its id.

Calls go the way of requests: a desk for each of two processes, natural batches, one door a cell.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from fastapi import FastAPI

from contracts.commands import Pay
from contracts.internal import Call
from kit.answers import Answer
from kit.commands_http import CommandDesk
from kit.health import Health
from kit.http import create_app
from kit.ids import new_id
from kit.perform import Door
from tests.conftest import MigratedDatabase
from tests.support.doors import NoLock
from tests.support.wallets import Purse, body_of, code_of, payment_of, purse_on
from wallet.edge.finding import finding
from wallet.edge.http import desk_of, routes

MOST_ROUNDS = 20
CELLS = 4
PEOPLE = 8
CALLERS = 400
"""Fifty for each of the people, over two processes."""

QUOTA_FEN, AMOUNT_FEN = 2_000, 60
SUCCEED = QUOTA_FEN // AMOUNT_FEN
TOKEN = "service-token-of-the-tests"

in_cells = pytest.mark.parametrize("cells", [1, CELLS])


@asynccontextmanager
async def desks_on(
    dsn: str, cells: int, door: type[Door] = Door
) -> AsyncIterator[tuple[Purse, list[CommandDesk]]]:
    """Two processes' worth of desks for the same cells; batches are small, so that many race."""
    async with (
        purse_on(dsn, cells=cells, size=2, door=door) as one,
        purse_on(dsn, cells=cells, size=2, door=door) as two,
    ):
        desks = [desk_of(each.cells, most=20, queue=4096) for each in (one, two)]
        yield one, desks
        for desk in desks:
            await desk.close()


async def somebody_in_every_cell(purse: Purse) -> list[UUID]:
    """PEOPLE with a quota each, none of whose cells is empty."""
    people = [await purse.person() for _ in range(PEOPLE)]
    while {purse.cells.of_person(each) for each in people} != set(range(len(purse.cells.pools))):
        people = [*people[1:], await purse.person()]
    for me in people:
        await purse.granted(me, QUOTA_FEN)
    return people


def call_of(command: Pay, key: str) -> Call[Pay]:
    return Call[Pay](
        caller="institution:P65900200001",
        person_id=command.person_id,
        key=key,
        fingerprint="0" * 64,
        instance="/v1/payments",
        command=command,
    )


async def race(desks: Sequence[CommandDesk], people: Sequence[UUID]) -> list[tuple[UUID, Answer]]:
    """Every caller at once, half at each desk, as many for each of the people."""
    barrier = asyncio.Barrier(CALLERS)

    async def caller(n: int) -> tuple[UUID, Answer]:
        me = people[n % len(people)]
        call = call_of(payment_of(me, AMOUNT_FEN), f"k{n}")
        await barrier.wait()
        # Which of the two is asked changes with every round through the people.
        [given] = await desks[n // len(people) % 2].perform([call])
        return me, given

    return await asyncio.gather(*map(caller, range(CALLERS)))


@in_cells
async def test_many_callers_two_processes_and_every_cell(
    migrated_database: MigratedDatabase, cells: int
) -> None:
    async with desks_on(migrated_database("wallet", cells), cells) as (purse, desks):
        people = await somebody_in_every_cell(purse)
        given = await race(desks, people)
        for me in people:
            codes = Counter(code_of(answer) for whose, answer in given if whose == me)
            assert codes == {"201": SUCCEED, "quota-insufficient": CALLERS // PEOPLE - SUCCEED}
            [quota] = await purse.quotas(me)
            assert quota["spent"] == SUCCEED * AMOUNT_FEN
        await purse.audited()
        for cell, pool in enumerate(purse.cells.pools):
            here = sum(purse.cells.of_person(me) == cell for me in people)
            assert await pool.fetchval("SELECT count(*) FROM payment") == here * SUCCEED


@in_cells
async def test_without_the_lock_many_callers_get_it_wrong(
    migrated_database: MigratedDatabase, cells: int
) -> None:
    async with desks_on(migrated_database("wallet", cells), cells, NoLock) as (purse, desks):
        for _ in range(MOST_ROUNDS):
            given = await race(desks, await somebody_in_every_cell(purse))
            # Who decided on what was no longer true finds fewer rows to change than it counted on.
            if Counter(code_of(answer) for _, answer in given)["internal"]:
                return
        pytest.fail(f"nothing went wrong in {MOST_ROUNDS} rounds: it was no race")


async def test_four_cells_give_the_same_answers_as_one(
    migrated_database: MigratedDatabase,
) -> None:
    totals = []
    for cells in (1, CELLS):
        async with purse_on(migrated_database("wallet", cells), cells=cells, size=3) as purse:
            people = await somebody_in_every_cell(purse)
            given = [
                await purse.do(payment_of(me, 300 * n + 1), me, "k") for n, me in enumerate(people)
            ]
            answers = [plain(body_of(each)) for each in given]
            books = [
                {name: row[name] for name in ("granted", "available", "held", "spent", "returned")}
                for me in people
                for row in await purse.quotas(me)
            ]
            await purse.audited()
            totals.append((list(map(code_of, given)), answers, books))
    assert totals[0] == totals[1]
    assert set(totals[0][0]) == {"201", "quota-insufficient"}


def plain(told: object) -> object:
    """An answer without what is new every time: ids, instants, and the instance's."""
    if isinstance(told, dict):
        return {
            name: plain(value)
            for name, value in told.items()
            if not name.endswith(("_id", "_at")) and name != "detail"
        }
    return [plain(each) for each in told] if isinstance(told, list) else told


def app_of(purse: Purse, desk: CommandDesk) -> FastAPI:
    app = create_app("wallet", health=Health())
    app.include_router(routes(purse.cells, desk, TOKEN))
    app.include_router(finding(purse.cells, TOKEN))
    return app


async def test_a_payment_is_found_by_its_id_alone(migrated_database: MigratedDatabase) -> None:
    async with desks_on(migrated_database("wallet", CELLS), CELLS) as (purse, desks):
        people = await somebody_in_every_cell(purse)
        paid = await asyncio.gather(
            *(desks[0].perform([call_of(payment_of(me, 100), "k")]) for me in people)
        )
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app_of(purse, desks[0])),
            base_url="http://wallet",
            headers={"authorization": f"Bearer {TOKEN}"},
        )
        async with client:
            for [answer] in paid:
                told = orjson.loads(answer.body)
                found = await client.get(f"/internal/payments/{told['payment_id']}")
                assert (found.status_code, found.json()) == (200, told)
            cells = {purse.cells.of_thing(UUID(body_of(each)["payment_id"])) for [each] in paid}
            assert cells == set(range(CELLS))
            ids = [body_of(each)["payment_id"] for [each] in paid]
            asked = {"payment_ids": [*ids, str(uuid4()), str(new_id(4095)), ids[0]]}
            listed = await client.post("/internal/payments/find", json=asked)
            found_there = [each["payment_id"] for each in listed.json()["payments"]]
            assert found_there == ids, "in the order of the question, over all cells, once"
            for wrong in ([], ["x"], ids * 201):
                refused = await client.post("/internal/payments/find", json={"payment_ids": wrong})
                assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
            for nobody in (uuid4(), new_id(1), new_id(CELLS), new_id(4095)):
                missing = await client.get(f"/internal/payments/{nobody}")
                assert (missing.status_code, missing.json()["code"]) == (404, "not-found")
