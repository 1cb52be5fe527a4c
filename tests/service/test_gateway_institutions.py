"""Institutions and their keys: registered from a file, as often as one likes, two keys at most."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.edge.registration import NotRegistered, register_all
from gateway.main import SERVICE
from gm.signing import generate_key_pair
from kit.audit import audit
from kit.postgres import Pool, open_pool
from tests.conftest import MigratedDatabase
from tests.support.gateway_neighbours import HOSPITAL, PHARMACY
from tests.support.keeper import ROOT

PUBLIC_KEYS = [generate_key_pair("ed25519").public.decode() for _ in range(3)]


def key(number: int, key_id: str | None = None) -> dict[str, str]:
    return {
        "key_id": key_id or f"K-{number}",
        "algorithm": "ed25519",
        "public_key_pem": PUBLIC_KEYS[number],
    }


def entry(*keys: dict[str, str], code: str = HOSPITAL, **change: Any) -> dict[str, Any]:
    told = {
        "code": code,
        "name": "示例机构",
        "kind": "hospital" if code[0] == "H" else "pharmacy",
        "level": "3",
        "mdtrtarea_admvs": "659002",
        "wallet_enabled": True,
        "keys": list(keys),
    }
    return {**told, **change}


@pytest.fixture
async def pool(migrated_database: MigratedDatabase) -> AsyncIterator[Pool]:
    dsn = migrated_database("gateway")
    pool = await open_pool(dsn, schema="cell_0", size=2, application_name="test")
    yield pool
    await pool.close()
    assert await audit(dsn, 1, SERVICE.audits) == []


async def register(pool: Pool, *entries: dict[str, Any]) -> int:
    return await register_all(pool, json.dumps(entries).encode())


async def live(pool: Pool, code: str = HOSPITAL) -> list[str]:
    rows = await pool.fetch(
        """
        SELECT key_id FROM institution_key
        WHERE institution = $1 AND valid_to IS NULL ORDER BY key_id
        """,
        code,
    )
    return [row["key_id"] for row in rows]


async def test_registering_again_changes_nothing(pool: Pool) -> None:
    entries = [entry(key(0)), entry(key(1), key(2), code=PHARMACY)]
    assert await register(pool, *entries) == 2
    before = await pool.fetch("SELECT * FROM institution_key ORDER BY key_id")
    assert await register(pool, *entries) == 2
    assert await pool.fetch("SELECT * FROM institution_key ORDER BY key_id") == before
    assert await live(pool, PHARMACY) == ["K-1", "K-2"]


async def test_a_key_is_rotated_by_registering_twice(pool: Pool) -> None:
    await register(pool, entry(key(0)))
    await register(pool, entry(key(0), key(1)))
    assert await live(pool) == ["K-0", "K-1"]
    await register(pool, entry(key(1)))
    assert await live(pool) == ["K-1"]
    await register(pool, entry(key(1), key(2)))
    assert await live(pool) == ["K-1", "K-2"]
    await register(pool, entry(key(0)))
    assert await live(pool) == ["K-0"], "a key that was retired may come back"


async def test_what_is_said_last_counts(pool: Pool) -> None:
    await register(pool, entry(key(0)))
    first, last = entry(key(0), key(1)), entry(key(2), wallet_enabled=False, name="新名")
    await register(pool, first, last)
    assert await live(pool) == ["K-2"]
    row = await pool.fetchrow("SELECT name, wallet_enabled FROM institution")
    assert row is not None
    assert (row["name"], row["wallet_enabled"]) == ("新名", False)


async def test_a_key_id_is_never_anothers(pool: Pool) -> None:
    await register(pool, entry(key(0)))
    for taken in (entry(key(1, "K-0")), entry(key(0), code=PHARMACY)):
        with pytest.raises(NotRegistered, match="wrong-state"):
            await register(pool, taken)
    assert await live(pool) == ["K-0"]


@pytest.mark.parametrize(
    "change",
    [
        {"code": "X65900200001"},
        {"kind": "pharmacy"},
        {"mdtrtarea_admvs": "65900"},
        {"wallet_enabled": "yes"},
        {"keys": []},
        {"keys": [key(0), key(1), key(2)]},
        {"keys": [key(0), key(0)]},
        {"keys": [{**key(0), "algorithm": "rot13"}]},
        {"keys": [{**key(0), "public_key_pem": "nonsense"}]},
        {"keys": [{**key(0), "key_id": "two words"}]},
    ],
)
async def test_a_wrong_entry_is_not_registered(pool: Pool, change: dict[str, Any]) -> None:
    with pytest.raises((NotRegistered, ValueError)):
        await register(pool, entry(key(0), **change))
    assert await live(pool) == []


async def test_the_schema_allows_two_live_keys_at_most(pool: Pool) -> None:
    await register(pool, entry(key(0), key(1)))
    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.execute(
            """
            INSERT INTO institution_key
                (key_id, institution, slot, algorithm, public_key, valid_from)
            VALUES ('K-9', $1, 1, 'ed25519', '', now())
            """,
            HOSPITAL,
        )


def test_the_command_registers_a_file(migrated_database: MigratedDatabase, tmp_path: Path) -> None:
    dsn = migrated_database("gateway")
    file = tmp_path / "institutions.json"
    for told, code in (([entry(key(0))], 0), ([entry(key(0), key(0))], 1)):
        file.write_text(json.dumps(told))
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "institutions", "register", str(file)],
            env={**os.environ, "DATABASE_URL": dsn},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
