"""Provinces that keep silent, answer twice or contradict themselves, on real Kafka."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from contracts import events
from contracts.topics import from_province, to_province
from kit.records import cloud_event_headers
from tests.support.town import Town
from tests.support.town_bus import Bus, bus_of
from tests.support.town_people import Citizen
from tests.support.town_until import until

GUANGDONG = "440000"


async def family(town: Town) -> tuple[Citizen, str]:
    """A sharer at Shenzhen with 1 000 yuan, and the relation with somebody at Alar."""
    sharer = await town.world.citizen("440300", employee=True, balance_fen=100_000)
    parent = await town.world.citizen("659002", employee=False, balance_fen=0)
    return sharer, await sharer.share_with(parent)


async def freeze_of(town: Town, quota_id: str) -> tuple[UUID, int]:
    """The last freeze that was asked for, and how often."""
    rows = await town.site.rows(
        "wallet",
        """
        SELECT order_id, asks FROM account_order
        WHERE quota_id = $1 AND kind = 'freeze' ORDER BY sent_at DESC LIMIT 1
        """,
        UUID(quota_id),
    )
    return rows[0]["order_id"], rows[0]["asks"]


async def contradict(bus: Bus, sharer: Citizen, freeze_id: UUID) -> None:
    """The province now says that it refused."""
    headers = cloud_event_headers(
        id=str(uuid4()),
        type=events.FreezeRefused.TYPE,
        source=f"/provinces/{GUANGDONG}",
        subject=None,
        time=datetime.now(UTC),
        sequence=None,
        traceparent=None,
    )
    body = json.dumps({"freeze_id": str(freeze_id), "reason": "insufficient"}).encode()
    await bus.write(from_province(GUANGDONG).name, sharer.psn_no.encode(), body, headers)


@pytest.mark.rule("R9")
async def test_a_province_that_lost_a_request_answers_it_when_told_again(town: Town) -> None:
    sharer, relation_id = await family(town)
    await town.world.behave(GUANGDONG, freeze="silent")
    try:
        quota_id = str((await sharer.set_quota(relation_id, 10_000)).of(202)["quota_id"])

        async def asked_again() -> bool:
            return (await freeze_of(town, quota_id))[1] >= 2

        await until(asked_again, "the province is asked again", 20)
        assert (await sharer.quota(quota_id))["state"] == "freezing"
        await town.site.rows(
            "sandbox", "DELETE FROM freeze_request WHERE quota_id = $1", UUID(quota_id)
        )
    finally:
        await town.world.behave(GUANGDONG, freeze="confirm")
    quota = await sharer.settled_quota(quota_id, within=30.0)
    assert (quota["state"], quota["available_fen"], quota["granted_fen"]) == (
        *("active", 10_000),
        10_000,
    )
    account = await town.world.account("440300", sharer.psn_no)
    assert (account["balance_fen"], account["frozen_fen"]) == (100_000, 10_000)
    async with bus_of(town.site.broker) as bus:
        name = to_province(GUANGDONG).name
        asked = [each for each in await bus.read(name) if each.key.decode() == quota_id]
    assert len(asked) >= 2
    assert len({each.value for each in asked}) == 1, "the same order under the same id"
    code, said = await town.site.command("wallet", "orders", "list")
    assert (code, quota_id in said) == (0, False), said


@pytest.mark.rule("R9")
async def test_who_answers_twice_and_contradicts_itself_is_believed_once(town: Town) -> None:
    sharer, relation_id = await family(town)
    await town.world.behave(GUANGDONG, duplicate=True)
    try:
        quota_id = await sharer.raise_quota(relation_id, 10_000)
    finally:
        await town.world.behave(GUANGDONG)
    freeze_id, _ = await freeze_of(town, quota_id)
    async with bus_of(town.site.broker) as bus:
        for _ in range(2):
            await contradict(bus, sharer, freeze_id)
        await bus.caught_up(within=30)
    quota = await sharer.quota(quota_id)
    assert (quota["state"], quota["available_fen"]) == ("active", 10_000)
    assert quota.get("refusal") is None
    for choice in ("repeat", "give-up"):
        code, said = await town.site.command("wallet", "orders", choice, str(freeze_id))
        assert code == 1, said
        assert "wrong-state" in said
