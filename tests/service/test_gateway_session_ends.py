"""How sessions end: by time, with the long key, by a limit, with the key that sealed them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest
from cryptography.fernet import Fernet

from gateway.edge.registration import register_all
from gm.key_agreement import Half
from gm.signing import generate_key_pair
from kit.postgres import Pool, open_pool
from tests.conftest import MigratedDatabase
from tests.support.gateway import (
    PUBLIC,
    Counter,
    Town,
    a_town,
    answered_by,
    institutions,
    refused,
    running,
)
from tests.support.gateway_neighbours import HOSPITAL, PHARMACY

PATH = "/v1/sessions"
UNKNOWN = "/v1/payments/01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        yield town


@asynccontextmanager
async def pool_of(town: Town) -> AsyncIterator[Pool]:
    pool = await open_pool(town.dsn, schema="cell_0", size=1, application_name="test")
    try:
        yield pool
    finally:
        await pool.close()


async def sessions(town: Town) -> list[asyncpg.Record]:
    async with pool_of(town) as pool:
        return await pool.fetch("SELECT * FROM session ORDER BY begun_at")


async def until_refused(counter: Counter) -> httpx.Response:
    """Ask with this counter's key until it is known no more."""
    async with asyncio.timeout(5):
        while True:
            headers = counter.headers("GET", UNKNOWN)
            response = await counter.deliver("GET", UNKNOWN, headers)
            if response.status_code == 401:
                return response


async def test_a_session_dies_when_it_expires_however_long_keys_are_remembered(
    migrated_database: MigratedDatabase, tmp_path: Path
) -> None:
    dsn = migrated_database("gateway")
    async with a_town(dsn, tmp_path, session_seconds=1, key_cache_seconds=3600) as town:
        counter = await town.counter.begun()
        refused(await counter.get(UNKNOWN), "not-found", 404)
        response = await until_refused(counter)
        refused(response, "signature-invalid", 401)
        assert answered_by(response) == ""
        [kept] = await sessions(town)
        assert datetime.now(UTC) >= kept["expires_at"]


async def test_the_databases_clock_says_when_a_session_ends(town: Town) -> None:
    counter = await town.counter.begun()
    async with pool_of(town) as pool:
        await pool.execute(
            """
            UPDATE session
            SET begun_at = now() - interval '12 hours', expires_at = now()
            """
        )
    headers = counter.headers("GET", UNKNOWN)
    refused(await counter.deliver("GET", UNKNOWN, headers), "signature-invalid", 401)


FRESH = generate_key_pair("ed25519").public.decode()


def renewed(town: Town, *key_ids: str) -> bytes:
    """An institutions file in which the hospital has these keys; `…-1` is the one it had."""
    told = institutions(town.keys)
    [first] = told[0]["keys"]
    told[0]["keys"] = [
        first if key_id == first["key_id"] else {**first, "key_id": key_id, "public_key_pem": FRESH}
        for key_id in key_ids
    ]
    return json.dumps(told[:1]).encode()


async def test_a_session_dies_with_its_long_key_for_ever(
    migrated_database: MigratedDatabase, tmp_path: Path
) -> None:
    dsn = migrated_database("gateway")
    async with a_town(dsn, tmp_path, key_cache_seconds=0) as town, pool_of(town) as pool:
        counter = await town.counter.begun()
        refused(await counter.get(UNKNOWN), "not-found", 404)
        await register_all(pool, renewed(town, f"{HOSPITAL}-1", f"{HOSPITAL}-2"))
        refused(await counter.get(UNKNOWN), "not-found", 404)
        await register_all(pool, renewed(town, f"{HOSPITAL}-2"))
        refused(await until_refused(counter), "signature-invalid", 401)
        await register_all(pool, renewed(town, f"{HOSPITAL}-1"))
        refused(await until_refused(counter), "signature-invalid", 401)
        refused(await (await town.counter.begun()).get(UNKNOWN), "not-found", 404)


async def test_a_key_that_was_just_retired_begins_nothing(
    migrated_database: MigratedDatabase, tmp_path: Path
) -> None:
    """The door asks again, under the lock that a retirement takes."""
    dsn = migrated_database("gateway")
    async with a_town(dsn, tmp_path, key_cache_seconds=3600) as town, pool_of(town) as pool:
        refused(await town.counter.get(UNKNOWN), "not-found", 404)
        await register_all(pool, renewed(town, f"{HOSPITAL}-2"))
        refused(await town.counter.begin(Half()), "signature-invalid", 401)
        assert await sessions(town) == []


async def test_an_institution_has_so_many_sessions_and_no_more(
    migrated_database: MigratedDatabase, tmp_path: Path
) -> None:
    async with a_town(migrated_database("gateway"), tmp_path, most_sessions=3) as town:
        answers = await asyncio.gather(*(town.counter.begin(Half()) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 5
        response = await town.counter.begin(Half(), key="k-1")
        refused(response, "too-many-sessions", 429)
        assert response.headers["retry-after"]
        assert (await town.counter.named(PHARMACY).begin(Half())).status_code == 201
        async with pool_of(town) as pool:
            await pool.execute(
                """
                UPDATE session SET begun_at = now() - interval '12 hours', expires_at = now()
                WHERE key_id = (SELECT min(key_id) FROM session WHERE institution = $1)
                """,
                HOSPITAL,
            )
        assert (await town.counter.begin(Half(), key="k-1")).status_code == 201, "it was not kept"


async def test_sessions_outlive_a_rotation_of_the_sealing_key_and_not_its_end(
    town: Town, tmp_path: Path
) -> None:
    counter = await town.counter.begun()
    fresh = Fernet.generate_key().decode()
    for keys, code, status in (
        (f"{fresh},{town.keys.presence}", "not-found", 404),
        (fresh, "signature-invalid", 401),
    ):
        settings = town.settings.model_copy(update={"presence_key": keys})
        async with (
            running(settings) as app,
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as client,
        ):
            headers = counter.headers("GET", UNKNOWN)
            there = replace(counter, client=client)
            refused(await there.deliver("GET", UNKNOWN, headers), code, status)


async def test_expired_sessions_are_forgotten_and_live_ones_are_not(town: Town) -> None:
    expired, live = await town.counter.begun(), await town.counter.begun()
    assert expired.session is not None
    assert live.session is not None
    async with pool_of(town) as pool:
        await pool.execute(
            """
            UPDATE session SET begun_at = now() - interval '13 hours',
                expires_at = now() - interval '1 hour'
            WHERE key_id = $1
            """,
            expired.session.key_id,
        )
    [sweep] = [each for each in town.sweeps if each.name == "prune_sessions"]
    await sweep.sweep()
    assert [row["key_id"] for row in await sessions(town)] == [live.session.key_id]
    refused(await live.get(UNKNOWN), "not-found", 404)
