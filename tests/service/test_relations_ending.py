"""How relations end by will: declined, taken back, ended by either, closed by the wallet (R3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from contracts import events
from kit.answers import Answer
from tests.conftest import MigratedDatabase
from tests.support.relations import (
    ALAR,
    BEIJING,
    SHENZHEN,
    Registry,
    Somebody,
    reason_of,
    registry_on,
    somebody,
)


@pytest.fixture
async def registry(migrated_database: MigratedDatabase) -> AsyncIterator[Registry]:
    async with registry_on(migrated_database("relations")) as one:
        yield one
        await one.audited()


@pytest.fixture
async def child(registry: Registry) -> Somebody:
    return await registry.known(somebody(SHENZHEN, "310"))


@pytest.fixture
async def parent(registry: Registry) -> Somebody:
    return await registry.known(somebody(ALAR, "390"))


async def in_state(registry: Registry, child: Somebody, parent: Somebody, state: str) -> str:
    """A relation that has come as far as this on the way of will."""
    relation_id = str((await registry.propose(child, parent)).json["relation_id"])
    if state == "proposed":
        return relation_id
    if state == "declined":
        assert (await registry.decline(parent, relation_id)).status == 200
        return relation_id
    assert (await registry.confirm(parent, relation_id)).status == 202
    if state == "activating":
        return relation_id
    await registry.activate(relation_id)
    if state == "active":
        return relation_id
    assert (await registry.end(child, relation_id)).status == 202
    if state == "ended":
        await registry.close(relation_id)
    return relation_id


@pytest.mark.rule("R3")
@pytest.mark.parametrize("who", ["sharer", "beneficiary"])
async def test_either_may_end_it_and_the_wallet_closes_it(
    registry: Registry, child: Somebody, parent: Somebody, who: str
) -> None:
    relation_id = await in_state(registry, child, parent, "active")
    person = child if who == "sharer" else parent
    given = await registry.end(person, relation_id, "k1")
    assert (given.status, given.json["state"], given.json["role"]) == (202, "ending", who)
    [told] = await registry.told(events.RelationEnded.TYPE)
    assert (told["relation_id"], told["reason"]) == (relation_id, "will")
    assert (told["sharer_id"], told["beneficiary_id"]) == (str(child.id), str(parent.id))
    [row] = await registry.rows("SELECT key FROM outbox WHERE type = 'relation.ended.v1'")
    assert row == {"key": str(parent.id)}

    outcome = await registry.close(relation_id)
    assert isinstance(outcome, Answer)
    assert await registry.states(relation_id) == [
        *("proposed", "activating", "active", "ending", "ended")
    ]
    [row] = await registry.rows("SELECT actor_id FROM relation_event WHERE state = 'ending'")
    assert row["actor_id"] == person.id
    before = await registry.everything()
    await registry.close(relation_id)
    assert await registry.everything() == before
    replayed = await registry.end(person, relation_id, "k1")
    assert (replayed.replayed, replayed.body) == (True, given.body)


@pytest.mark.rule("R3")
@pytest.mark.parametrize("who", ["sharer", "beneficiary"])
async def test_a_proposal_is_declined_or_taken_back_by_either(
    registry: Registry, child: Somebody, parent: Somebody, who: str
) -> None:
    relation_id = await in_state(registry, child, parent, "proposed")
    given = await registry.decline(child if who == "sharer" else parent, relation_id)
    assert (given.status, given.json["state"]) == (200, "declined")
    assert (await registry.confirm(parent, relation_id)).code == "wrong-state"
    assert (await registry.propose(child, parent)).code == "201"
    assert await registry.told(events.RelationEnded.TYPE) == []


WAYS = [
    # state         end            decline
    ("proposed", "wrong-state", "200"),
    ("activating", "202", "wrong-state"),
    ("active", "202", "wrong-state"),
    ("ending", "wrong-state", "wrong-state"),
    ("ended", "wrong-state", "wrong-state"),
    ("declined", "wrong-state", "wrong-state"),
]


@pytest.mark.rule("R3")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way[0])
async def test_what_may_become_of_it_in_each_state(
    registry: Registry, child: Somebody, parent: Somebody, way: tuple[str, str, str]
) -> None:
    state, end, decline = way
    relation_id = await in_state(registry, child, parent, state)
    told = len(await registry.told(events.RelationEnded.TYPE))
    if decline != "200":
        assert (await registry.decline(parent, relation_id)).code == decline
    assert (await registry.end(parent, relation_id)).code == end
    if decline == "200":
        assert (await registry.decline(parent, relation_id)).code == decline
    assert len(await registry.told(events.RelationEnded.TYPE)) == told + (end == "202")


async def test_what_ends_while_the_wallet_is_asked_does_not_become_active(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    relation_id = await in_state(registry, child, parent, "activating")
    assert (await registry.end(parent, relation_id)).status == 202
    await registry.activate(relation_id)
    await registry.close(relation_id)
    assert await registry.states(relation_id) == ["proposed", "activating", "ending", "ended"]


async def test_strangers_end_and_decline_nothing(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    stranger = await registry.known(somebody(BEIJING, "310"))
    relation_id = await in_state(registry, child, parent, "proposed")
    assert (await registry.decline(stranger, relation_id)).code == "not-found"
    assert (await registry.decline(child, str(uuid4()))).code == "not-found"
    await registry.confirm(parent, relation_id)
    assert (await registry.end(stranger, relation_id)).code == "not-found"
    assert (await registry.end(child, str(uuid4()))).code == "not-found"
    assert await registry.states(relation_id) == ["proposed", "activating"]


@pytest.mark.rule("R3")
async def test_after_an_end_both_have_to_consent_anew(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    relation_id = await in_state(registry, child, parent, "ended")
    again = await registry.propose(child, parent)
    assert again.status == 201
    assert again.json["relation_id"] != relation_id
    assert again.json["state"] == "proposed"


async def test_a_quota_that_ended_on_its_own_is_a_broken_promise(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    relation_id = await in_state(registry, child, parent, "active")
    assert reason_of(await registry.close(relation_id)) == "AssertionError"


async def test_both_end_it_at_once_and_it_ends_once(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    for _ in range(5):
        relation_id = await in_state(registry, child, parent, "active")
        given = await asyncio.gather(
            registry.end(child, relation_id, uuid4().hex),
            registry.end(parent, relation_id, uuid4().hex),
        )
        assert sorted(answer.code for answer in given) == ["202", "wrong-state"]
        await registry.close(relation_id)
    ended = await registry.rows("SELECT relation_id FROM relation WHERE state = 'ended'")
    assert len(ended) == 5
    assert len(await registry.told(events.RelationEnded.TYPE)) == 5


async def test_decline_and_confirm_never_both_count(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    for _ in range(5):
        relation_id = await in_state(registry, child, parent, "proposed")
        confirmed, declined = await asyncio.gather(
            registry.confirm(parent, relation_id, uuid4().hex),
            registry.decline(child, relation_id, uuid4().hex),
        )
        assert {confirmed.code, declined.code} in ({"202", "wrong-state"}, {"200", "wrong-state"})
        state = (await registry.states(relation_id))[-1]
        assert state == ("activating" if confirmed.status == 202 else "declined")
        if state == "activating":
            await registry.end(parent, relation_id)
            await registry.close(relation_id)
    assert await registry.rows("SELECT FROM relation WHERE relation_id = $1", UUID(relation_id))
