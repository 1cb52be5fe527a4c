"""What provinces tell of institutions: where they are, whether they take wallet payments (R27)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from contracts import events
from gateway.domain.told import RecordInstitution
from gateway.edge.kafka import provinces_reading
from gateway.edge.registration import register_all
from gateway.main import SERVICE
from gateway.store.institutions import live_keys
from gateway.usecases.record_institution import record_institution
from gm.signing import generate_key_pair
from kit.answers import Answer
from kit.audit import audit
from kit.perform import Door
from kit.postgres import Pool, open_pool
from policy.calendar import beijing_day
from tests.conftest import MigratedDatabase
from tests.support.gateway_neighbours import HOSPITAL
from tests.support.relations import raw_of

TOLD_AT = datetime(2026, 11, 1, 4, tzinfo=UTC)
TODAY = beijing_day(datetime.now(UTC))
KEY = generate_key_pair("ed25519").public.decode()


@pytest.fixture
async def pool(migrated_database: MigratedDatabase) -> AsyncIterator[Pool]:
    dsn = migrated_database("gateway")
    pool = await open_pool(dsn, schema="cell_0", size=2, application_name="test")
    registered = {
        "code": HOSPITAL,
        "name": "示例机构",
        "kind": "hospital",
        "mdtrtarea_admvs": "659002",
        "wallet_enabled": True,
        "keys": [{"key_id": "K-1", "algorithm": "ed25519", "public_key_pem": KEY}],
    }
    await register_all(pool, json.dumps([registered]).encode())
    yield pool
    await pool.close()
    assert await audit(dsn, 1, SERVICE.audits) == []


def body(**changes: Any) -> dict[str, Any]:
    told = {
        "fixmedins_code": HOSPITAL,
        "name": "阿拉尔示例医院",
        "kind": "hospital",
        "level": "3",
        "admdvs": "659002",
        "active": True,
        "wallet_enabled": True,
        "from": "2026-01-09",
    } | changes
    return {name: value for name, value in told.items() if value is not None}


async def tell(
    pool: Pool, told_at: datetime = TOLD_AT, *, province: str = "660000", **changes: Any
) -> bool:
    """Whether what a province tells is taken in."""
    raw = raw_of(
        f"from.{province}",
        HOSPITAL,
        events.InstitutionChanged.TYPE,
        json.dumps(body(**changes)).encode(),
        source=f"/provinces/{province}",
        told_at=told_at,
    )
    routed = provinces_reading().understand(raw)
    if routed is None:
        return False
    [outcome] = await Door(pool, 0, {RecordInstitution: record_institution}).perform([routed.job])
    assert isinstance(outcome, Answer)
    assert outcome.status == 200
    return True


async def is_now(pool: Pool) -> tuple[str, str, bool]:
    known = (await live_keys(pool, ["K-1"], within=1))["K-1"].institution
    return known.name, known.mdtrtarea_admvs, known.wallet_enabled


@pytest.mark.rule("R27")
@pytest.mark.parametrize(
    ("changes", "enabled"),
    [
        ({}, True),
        ({"active": False}, False),
        ({"wallet_enabled": False}, False),
        ({"from": TODAY.isoformat(), "wallet_enabled": False}, False),
        ({"to": TODAY.isoformat()}, True),
        ({"to": (TODAY - timedelta(days=1)).isoformat()}, False),
    ],
)
async def test_an_institution_is_what_its_province_told(
    pool: Pool, changes: dict[str, Any], enabled: bool
) -> None:
    assert await is_now(pool) == ("示例机构", "659002", True)
    assert await tell(pool, **changes)
    assert await is_now(pool) == ("阿拉尔示例医院", "659002", enabled)


@pytest.mark.rule("R27")
async def test_what_was_told_last_holds_whatever_its_days(pool: Pool) -> None:
    at = [TOLD_AT + timedelta(minutes=n) for n in range(3)]
    await tell(pool, at[1], wallet_enabled=False)
    await tell(pool, at[0], wallet_enabled=True)
    assert (await is_now(pool))[2] is False
    await tell(pool, at[2], **{"from": "2025-01-01"})
    assert (await is_now(pool))[2] is True


@pytest.mark.rule("R27")
async def test_what_is_told_for_a_day_to_come_waits_for_it(pool: Pool) -> None:
    tomorrow = TODAY + timedelta(days=1)
    ahead: dict[str, Any] = {"from": tomorrow.isoformat(), "wallet_enabled": False}
    await tell(pool, **ahead)
    assert (await is_now(pool))[2] is True
    await pool.execute("UPDATE institution_told SET valid_from = $1", date(2026, 1, 1))
    assert (await is_now(pool))[2] is False


async def test_an_institution_may_be_told_of_before_it_is_registered(pool: Pool) -> None:
    other = "H65900200002"
    assert await tell(pool, fixmedins_code=other, wallet_enabled=False)
    assert await is_now(pool) == ("示例机构", "659002", True)
    registered = {
        "code": other,
        "name": "另一机构",
        "kind": "hospital",
        "mdtrtarea_admvs": "659002",
        "wallet_enabled": True,
        "keys": [
            {
                "key_id": "K-2",
                "algorithm": "ed25519",
                "public_key_pem": generate_key_pair("ed25519").public.decode(),
            }
        ],
    }
    await register_all(pool, json.dumps([registered]).encode())
    known = (await live_keys(pool, ["K-2"], within=1))["K-2"].institution
    assert known.wallet_enabled is False


@pytest.mark.parametrize(
    "changes",
    [
        {"province": "440000"},
        {"admdvs": "440300"},
        {"admdvs": "999999"},
        {"admdvs": None},
        {"fixmedins_code": "X1"},
        {"active": "yes"},
        {"from": "2026-13-01"},
    ],
)
async def test_nobody_else_speaks_for_it_and_nonsense_is_passed_over(
    pool: Pool, changes: dict[str, Any]
) -> None:
    assert not await tell(pool, **changes)
    assert await is_now(pool) == ("示例机构", "659002", True)
    assert await pool.fetch("SELECT FROM institution_told") == []
