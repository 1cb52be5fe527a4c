"""Quotes on real PostgreSQL, over HTTP: they say what the payment will be, and write nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from contracts.commands import Quote
from kit.health import Health
from kit.http import create_app
from policy.policy import Policy
from tests.conftest import MigratedDatabase
from tests.support.places import LOCAL_POLICY
from tests.support.wallets import Purse, body_of, payment_of, purse_on
from wallet.edge.quotes import quoting

TOKEN = "service-token-of-the-tests"


@pytest.fixture
async def purse(migrated_database: MigratedDatabase) -> AsyncIterator[Purse]:
    async with purse_on(migrated_database("wallet")) as one:
        yield one
        await one.audited()


@pytest.fixture
async def client(purse: Purse) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("wallet", health=Health())
    app.include_router(quoting(purse.cells, Policy.load(LOCAL_POLICY), TOKEN))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://wallet",
        headers={"authorization": f"Bearer {TOKEN}"},
    ) as client:
        yield client


async def quoted(client: httpx.AsyncClient, me: UUID, amount: int, **change: Any) -> Any:
    told = payment_of(me, amount, **change).model_dump(
        exclude={"type", "partial", "admission_id", "quote_fault"}
    )
    asked = Quote.model_validate(told | {"instance": "/v1/quotes"})
    response = await client.post("/internal/quotes", content=asked.model_dump_json())
    assert response.status_code == 200, response.text
    given = response.json()
    return given["status"], orjson.loads(given["body"])


async def rows(purse: Purse) -> list[str]:
    pool = purse.cells.pools[0]
    tables = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'cell_0'")
    return [
        str(row)
        for table in sorted(each["tablename"] for each in tables)
        for row in await pool.fetch(f"SELECT t::text FROM {table} AS t")
    ]


async def test_a_quote_over_two_sharers_is_what_the_payment_becomes(
    purse: Purse, client: httpx.AsyncClient
) -> None:
    me = await purse.person()
    await purse.granted(me, 5_000, "110000", age_days=1)
    await purse.granted(me, 3_000, "440300", age_days=9)
    before = await rows(purse)
    status, told = await quoted(client, me, 4_000)
    assert await rows(purse) == before
    assert (status, told["mutual_aid_fen"]) == (200, 4_000)
    paid = body_of(await purse.do(payment_of(me, 4_000), me, "k1"))
    assert told["allocations"] == paid["allocations"]
    status, told = await quoted(client, me, 4_001)
    assert (status, told["code"], told["instance"]) == (422, "quota-insufficient", "/v1/quotes")


async def test_who_is_nobody_here_is_told_by_name(client: httpx.AsyncClient) -> None:
    status, told = await quoted(client, UUID(int=7), 100)
    assert (status, told["code"]) == (422, "wallet-not-open")
    refused = await client.post("/internal/quotes", json={"person_id": 7})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    client.headers["authorization"] = "Bearer x"
    assert (await client.post("/internal/quotes", json={})).status_code == 403
