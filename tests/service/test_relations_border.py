"""What provinces hear of a relation: each state that lasts, in the numbers of their own border."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from contracts import events
from tests.conftest import MigratedDatabase
from tests.support.relations import (
    ALAR,
    SHENZHEN,
    TOLD_AT,
    Registry,
    Somebody,
    registry_on,
    somebody,
)

HAMI = "650500"


@pytest.fixture
async def registry(migrated_database: MigratedDatabase) -> AsyncIterator[Registry]:
    async with registry_on(migrated_database("relations")) as one:
        yield one
        await one.audited()


async def pair(registry: Registry, *pools: str) -> tuple[Somebody, Somebody]:
    """A sharer and a beneficiary in these pools."""
    sharer_pool, beneficiary_pool = pools
    return (
        await registry.known(somebody(sharer_pool, "310")),
        await registry.known(somebody(beneficiary_pool, "390")),
    )


async def consented(registry: Registry, sharer: Somebody, beneficiary: Somebody) -> str:
    relation_id = str((await registry.propose(sharer, beneficiary)).json["relation_id"])
    assert (await registry.confirm(beneficiary, relation_id)).status == 202
    return relation_id


async def heard(registry: Registry, province: str) -> list[dict[str, Any]]:
    rows = await registry.rows(
        "SELECT key, subject, event_id, data FROM outbox WHERE type = $1 AND topic = $2"
        " ORDER BY position",
        events.RelationChanged.TYPE,
        f"to.{province}",
    )
    return [row | {"body": orjson.loads(row["data"])} for row in rows]


async def states(registry: Registry, province: str) -> list[str]:
    return [told["body"]["state"] for told in await heard(registry, province)]


async def test_both_provinces_hear_what_lasts_and_nothing_that_passes(registry: Registry) -> None:
    sharer, beneficiary = await pair(registry, SHENZHEN, ALAR)
    relation_id = await consented(registry, sharer, beneficiary)
    assert await heard(registry, "440000") == await heard(registry, "660000") == []
    await registry.activate(relation_id)
    await registry.tell(sharer, since="2026-02-01", status="suspended")
    await registry.tell(sharer, since="2026-03-01", status="active")
    await registry.end(beneficiary, relation_id)
    assert await states(registry, "440000") == ["active", "suspended", "active"]
    await registry.close(relation_id)
    at_home, away = await heard(registry, "440000"), await heard(registry, "660000")
    assert at_home == away, "one fact, told to both"
    assert [told["body"]["state"] for told in away] == ["active", "suspended", "active", "ended"]
    assert {told["key"] for told in away} == {relation_id}
    assert len({told["event_id"] for told in away}) == 4
    assert away[0]["body"] == {
        "relation_id": relation_id,
        "state": "active",
        "kind": "parent",
        "sharer": {"psn_no": sharer.psn_no, "pool_admdvs": SHENZHEN},
        "beneficiary": {"psn_no": beneficiary.psn_no, "pool_admdvs": ALAR},
    }


async def test_one_province_of_both_hears_it_once(registry: Registry) -> None:
    sharer, beneficiary = await pair(registry, HAMI, "650000")
    await registry.activate(await consented(registry, sharer, beneficiary))
    assert await states(registry, "650000") == ["active"]


async def test_two_states_of_one_command_are_two_facts(registry: Registry) -> None:
    sharer, beneficiary = await pair(registry, SHENZHEN, ALAR)
    relation_id = await consented(registry, sharer, beneficiary)
    await registry.tell(sharer, since="2026-02-01", status="suspended")
    await registry.activate(relation_id)
    told = await heard(registry, "660000")
    assert [each["body"]["state"] for each in told] == ["active", "suspended"]
    assert told[0]["event_id"] != told[1]["event_id"]


async def test_what_was_never_in_force_is_told_only_when_it_is_over(registry: Registry) -> None:
    sharer, beneficiary = await pair(registry, SHENZHEN, ALAR)
    declined = str((await registry.propose(sharer, beneficiary)).json["relation_id"])
    await registry.decline(beneficiary, declined)
    relation_id = await consented(registry, sharer, beneficiary)
    await registry.end(sharer, relation_id)
    assert await heard(registry, "660000") == []
    await registry.close(relation_id)
    assert await states(registry, "440000") == await states(registry, "660000") == ["ended"]


async def test_who_moved_is_told_of_under_the_number_that_the_relation_rested_on(
    registry: Registry,
) -> None:
    sharer, beneficiary = await pair(registry, SHENZHEN, ALAR)
    relation_id = await consented(registry, sharer, beneficiary)
    await registry.activate(relation_id)
    moved = Somebody(**(vars(beneficiary) | {"pool_admdvs": "110000", "psn_no": "P2"}))
    await registry.tell(moved, TOLD_AT, since="2026-02-01")
    await registry.tell(beneficiary, TOLD_AT, since="2026-02-01", status="moved")
    await registry.close(relation_id)
    assert await states(registry, "660000") == ["active", "ended"]
    assert await heard(registry, "110000") == []
    [_, ended] = await heard(registry, "440000")
    assert ended["body"]["beneficiary"] == {"psn_no": beneficiary.psn_no, "pool_admdvs": ALAR}
