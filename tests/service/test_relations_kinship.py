"""Where an area wants it, its province is asked whether they are relatives (R13)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from contracts import events
from kit.answers import Answer
from kit.work import Outcome
from relations.domain.commands import VerifyKinship
from tests.conftest import MigratedDatabase
from tests.support.relations import (
    ALAR,
    PROVINCE_KEYS,
    SHENZHEN,
    TOLD_AT,
    Registry,
    Somebody,
    raw_of,
    registry_on,
    somebody,
)

MIANYANG = "510700"
"""A pool of the local policy that asks."""


@pytest.fixture
async def registry(
    migrated_database: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Registry]:
    monkeypatch.setitem(PROVINCE_KEYS, "510000", PROVINCE_KEYS["440000"])
    async with registry_on(migrated_database("relations")) as one:
        yield one
        await one.audited()


async def confirmed(registry: Registry, pool: str = MIANYANG) -> tuple[Somebody, Somebody, str]:
    child = await registry.known(somebody(pool, "310"))
    parent = await registry.known(somebody(ALAR, "390"))
    relation_id = (await registry.propose(child, parent)).json["relation_id"]
    given = await registry.confirm(parent, relation_id)
    assert (given.status, given.json["state"]) == (202, "activating")
    return child, parent, str(relation_id)


async def say(
    registry: Registry, inquiry_id: Any, answer: str, province: str = "510000"
) -> Outcome:
    raw = raw_of(
        f"from.{province}",
        "psn",
        events.KinshipAnswered.TYPE,
        orjson.dumps({"inquiry_id": str(inquiry_id), "answer": answer}),
        source=f"/provinces/{province}",
        told_at=TOLD_AT,
    )
    return await registry.hear(raw)


async def asked(registry: Registry) -> list[dict[str, Any]]:
    return await registry.told(events.KinshipAsked.TYPE)


@pytest.mark.rule("R13")
async def test_nobody_is_asked_where_no_area_wants_it(registry: Registry) -> None:
    await confirmed(registry, SHENZHEN)
    assert await asked(registry) == []
    assert len(await registry.told(events.RelationActivated.TYPE)) == 1


@pytest.mark.rule("R13")
async def test_the_wallet_is_told_when_the_province_says_yes(registry: Registry) -> None:
    child, parent, relation_id = await confirmed(registry)
    [inquiry] = await asked(registry)
    assert inquiry["kind"] == "parent"
    assert inquiry["sharer"] == {"psn_no": child.psn_no, "pool_admdvs": MIANYANG}
    assert inquiry["beneficiary"] == {"psn_no": parent.psn_no, "pool_admdvs": ALAR}
    [row] = await registry.rows("SELECT topic, key FROM outbox WHERE type = 'kinship.asked.v1'")
    assert row == {"topic": "to.510000", "key": relation_id}
    assert await registry.told(events.RelationActivated.TYPE) == []
    for _ in range(2):
        await say(registry, inquiry["inquiry_id"], "yes")
    [told] = await registry.told(events.RelationActivated.TYPE)
    assert told["sharer"]["psn_no"] == child.psn_no
    assert told["beneficiary"]["person_id"] == str(parent.id)
    await registry.activate(relation_id)
    assert await registry.states(relation_id) == ["proposed", "activating", "active"]


@pytest.mark.rule("R13")
async def test_who_are_no_relatives_are_declined(registry: Registry) -> None:
    child, parent, relation_id = await confirmed(registry)
    [inquiry] = await asked(registry)
    await say(registry, inquiry["inquiry_id"], "no")
    assert await registry.states(relation_id) == ["proposed", "activating", "declined"]
    late = await say(registry, inquiry["inquiry_id"], "yes")
    assert isinstance(late, Answer)
    assert orjson.loads(late.body)["code"] == "wrong-state"
    assert await registry.told(events.RelationActivated.TYPE) == []
    assert (await registry.propose(child, parent)).status == 201


@pytest.mark.rule("R13")
async def test_what_a_province_does_not_know_is_for_a_clerk(registry: Registry) -> None:
    _, _, relation_id = await confirmed(registry)
    [inquiry] = await asked(registry)
    await say(registry, inquiry["inquiry_id"], "unknown")
    assert (await registry.states(relation_id))[-1] == "activating"
    outcome = await registry.room.review(UUID(inquiry["inquiry_id"]), "yes")
    assert isinstance(outcome, Answer)
    assert outcome.status == 200
    assert len(await registry.told(events.RelationActivated.TYPE)) == 1


@pytest.mark.rule("R13")
async def test_a_silent_province_is_asked_again_and_at_last_a_clerk(registry: Registry) -> None:
    _, _, relation_id = await confirmed(registry)
    for _ in range(12):
        await registry.room.sweep()
        await registry.room.sweep()
        await registry.pool.execute("UPDATE relation SET kinship_asked_at = now() - interval '1d'")
    inquiries = await asked(registry)
    assert len(inquiries) == 8
    assert len({each["inquiry_id"] for each in inquiries}) == 1
    [row] = await registry.rows("SELECT kinship, kinship_times FROM relation")
    assert row == {"kinship": "unknown", "kinship_times": 8}
    await say(registry, inquiries[0]["inquiry_id"], "yes")
    assert len(await registry.told(events.RelationActivated.TYPE)) == 1
    assert (await registry.states(relation_id))[-1] == "activating"


@pytest.mark.rule("R3")
async def test_what_ends_before_the_wallet_was_told_is_over_at_once(registry: Registry) -> None:
    child, parent, relation_id = await confirmed(registry)
    given = await registry.end(parent, relation_id)
    assert (given.status, given.json["state"]) == (202, "ended")
    [inquiry] = await asked(registry)
    await say(registry, inquiry["inquiry_id"], "yes")
    _, other, second = await confirmed(registry)
    await registry.tell(other, TOLD_AT, status="moved", since="2026-02-01", sealed=None)
    assert (await registry.states(second))[-1] == "ended"
    assert await registry.told(events.RelationActivated.TYPE) == []
    assert await registry.told(events.RelationEnded.TYPE) == []
    assert (await registry.propose(child, parent)).status == 201


async def test_only_the_province_that_was_asked_answers(registry: Registry) -> None:
    await confirmed(registry)
    [inquiry] = await asked(registry)
    before = await registry.everything()
    for inquiry_id, province in ((inquiry["inquiry_id"], "440000"), (uuid4(), "510000")):
        outcome = await say(registry, inquiry_id, "yes", province)
        assert isinstance(outcome, Answer)
        assert orjson.loads(outcome.body)["code"] == "not-found"
    assert await registry.everything() == before
    assert VerifyKinship(inquiry_id=uuid4(), province=None, answer="no").province is None
