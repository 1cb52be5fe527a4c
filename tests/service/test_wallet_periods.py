"""The wallet's routes of months: what their answers look like, and what they refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest

from contracts.clearing import Period
from contracts.internal import GivenAnswer
from kit.health import Health
from kit.http import create_app
from tests.conftest import MigratedDatabase
from tests.support.database_clock import DatabaseClock
from tests.support.wallet_months import all_is_told, last_cut_is, months_of
from tests.support.wallets import Purse, purse_on
from wallet.edge.periods import periods

CELLS = 3
TOKEN = "service-token-of-the-tests"
DECEMBER_3 = datetime(2026, 12, 3, 4, 0, tzinfo=UTC)
ROUTES = ("cut", "find")

pytestmark = pytest.mark.rule("R15")


@pytest.fixture
async def purse(migrated_database: MigratedDatabase) -> AsyncIterator[Purse]:
    """A wallet of three cells on 3 December, which has not cut November."""
    clock = await DatabaseClock.of(migrated_database("wallet", CELLS))
    async with purse_on(clock.dsn, cells=CELLS, clock=clock) as one:
        await clock.stands_at(DECEMBER_3)
        await last_cut_is(one, "2026-10")
        yield one
        await one.audited()


@pytest.fixture
async def client(purse: Purse) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("wallet", health=Health())
    app.include_router(periods(months_of(purse, early=False), TOKEN))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://wallet",
        headers={"authorization": f"Bearer {TOKEN}"},
    ) as client:
        yield client


async def asked(client: httpx.AsyncClient, what: str, period: str) -> tuple[GivenAnswer, Any]:
    """The answer for the caller, and what is in it."""
    instance = f"/v1/periods/{period}"
    response = await client.post(
        f"/internal/periods/{what}", json={"period": period, "instance": instance}
    )
    assert response.status_code == 200, response.text
    given = GivenAnswer.model_validate_json(response.content)
    told = orjson.loads(given.body)
    if given.status == 200:
        Period.model_validate_json(given.body)
        assert told["period"] == period
    else:
        assert (told["status"], told["instance"]) == (given.status, instance)
    return given, told


async def state(client: httpx.AsyncClient, period: str) -> str:
    given, told = await asked(client, "find", period)
    return str(told["state"] if given.status == 200 else told["code"])


async def test_a_month_is_found_open_cut_or_not_at_all(
    purse: Purse, client: httpx.AsyncClient
) -> None:
    assert await state(client, "2026-11") == await state(client, "2026-12") == "open"
    for unknown in ("2026-10", "2025-01", "2027-01", "2099-12"):
        assert await state(client, unknown) == "not-found", unknown
    given, told = await asked(client, "cut", "2026-11")
    assert (given.status, told["state"]) == (200, "cut")
    assert datetime.fromisoformat(told["cut_at"]) == DECEMBER_3
    assert told["balanced_at"] is None
    assert told["differences"] == told["answers"] == told["transfers"] == []
    found, shown = await asked(client, "find", "2026-11")
    assert (found.body, shown["state"]) == (given.body, "cut")
    assert await state(client, "2026-12") == "open"
    await all_is_told(purse, "2026-11")


async def test_a_cut_is_answered_the_same_again_and_out_of_order_by_its_name(
    client: httpx.AsyncClient,
) -> None:
    early, told = await asked(client, "cut", "2026-12")
    assert (early.status, told["code"]) == (409, "wrong-state")
    first, _ = await asked(client, "cut", "2026-11")
    again, _ = await asked(client, "cut", "2026-11")
    assert (first.status, first.body) == (again.status, again.body)
    early, told = await asked(client, "cut", "2026-12")
    assert (early.status, told["code"]) == (409, "wrong-state")
    assert told["retryable"] is False
    before, told = await asked(client, "cut", "2026-09")
    assert (before.status, told["state"], told["cut_at"]) == (200, "cut", None)


@pytest.mark.parametrize("what", ROUTES)
async def test_while_a_cell_is_away_a_month_is_unavailable(
    purse: Purse, client: httpx.AsyncClient, what: str
) -> None:
    away = purse.cells.pools[1]
    lent = [await away.acquire() for _ in range(away.get_max_size())]
    given, told = await asked(client, what, "2026-11")
    assert (given.status, told["code"], given.retry_after) == (503, "unavailable", 1)
    for each in lent:
        await away.release(each)
    given, _ = await asked(client, what, "2026-11")
    assert given.status == 200


@pytest.mark.parametrize("what", ROUTES)
async def test_bad_input_is_refused_and_changes_nothing(
    purse: Purse, client: httpx.AsyncClient, what: str
) -> None:
    good = {"period": "2026-11", "instance": "/v1/periods/2026-11"}
    wrong: list[Any] = [
        *({**good, "period": each} for each in ("2026-13", "2026-00", "2026-1", "26-11", "", None)),
        *({**good, "period": each} for each in (202611, 2026.11, ["2026-11"], "2026-11-01", True)),
        *({**good, "period": each} for each in ("1999-12", "2100-01", "2026-11\n", "２０２６-11")),
        {**good, "instance": None},
        {**good, "early": True},
        {"period": "2026-11"},
        {"instance": "/"},
        {},
        [],
        None,
    ]
    path = f"/internal/periods/{what}"
    for body in wrong:
        refused = await client.post(path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid"), body
    for text in (b"", b"{", b"\xff\xfe", b'{"period": "2026-11"', b"[" * 100_000):
        refused = await client.post(path, content=text)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid"), text[:20]
    for token in ("", "Bearer", "Bearer x", f"Bearer {TOKEN}x", f"Basic {TOKEN}"):
        refused = await client.post(path, json=good, headers={"authorization": token})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), token
    for pool in purse.cells.pools:
        assert await pool.fetchval("SELECT count(*) FROM period_cut") == 0
        assert await pool.fetchval("SELECT last_cut FROM clearing_clock") == "2026-10"
