"""A relation from proposal to force on real PostgreSQL; keys, replays, batches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from contracts import events
from kit.answers import Answer
from tests.conftest import MigratedDatabase
from tests.support.relations import (
    ALAR,
    BEIJING,
    SHENZHEN,
    TOLD_AT,
    Registry,
    Somebody,
    confirmation,
    proposal,
    quota_opened,
    reason_of,
    registry_on,
    somebody,
)

LATER = TOLD_AT + timedelta(hours=1)


@pytest.fixture
async def registry(migrated_database: MigratedDatabase) -> AsyncIterator[Registry]:
    async with registry_on(migrated_database("relations")) as one:
        yield one
        await one.audited()


@pytest.fixture
async def child(registry: Registry) -> Somebody:
    """Employed in Shenzhen, with an account to share."""
    return await registry.known(somebody(SHENZHEN, "310"))


@pytest.fixture
async def parent(registry: Registry) -> Somebody:
    """A resident of Alar."""
    return await registry.known(somebody(ALAR, "390"))


async def activating(registry: Registry, child: Somebody, parent: Somebody) -> str:
    relation_id = str((await registry.propose(child, parent)).json["relation_id"])
    assert (await registry.confirm(parent, relation_id)).status == 202
    return relation_id


async def states(registry: Registry, relation_id: str) -> list[str]:
    rows = await registry.rows(
        "SELECT state FROM relation_event WHERE relation_id = $1 ORDER BY sequence",
        UUID(relation_id),
    )
    return [row["state"] for row in rows]


# The life of a relation.


async def test_a_relation_is_proposed_confirmed_and_activated(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    proposed = await registry.propose(child, parent, "k1")
    relation_id = str(proposed.json["relation_id"])
    assert proposed.status == 201
    assert proposed.json == {
        "relation_id": relation_id,
        "role": "sharer",
        "kind": "parent",
        "state": "proposed",
    }
    confirmed = await registry.confirm(parent, relation_id, "k2")
    assert confirmed.status == 202
    assert confirmed.json == {
        "relation_id": relation_id,
        "role": "beneficiary",
        "kind": "parent",
        "state": "activating",
    }
    outcome = await registry.activate(relation_id)
    assert isinstance(outcome, Answer)
    assert await states(registry, relation_id) == ["proposed", "activating", "active"]


async def test_the_wallet_is_told_whose_account_gives(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    # The child is also insured as a resident elsewhere; only the employee account can give.
    await registry.tell(
        Somebody(**(vars(child) | {"pool_admdvs": BEIJING, "psn_no": "B1", "insutype": "390"}))
    )
    relation_id = await activating(registry, child, parent)
    [told] = await registry.told(events.RelationActivated.TYPE)
    assert events.RelationActivated.model_validate_json(orjson.dumps(told))
    assert told["relation_id"] == relation_id
    assert told["kind"] == "parent"
    assert told["sharer"] == {
        "person_id": str(child.id),
        "psn_no": child.psn_no,
        "pool_admdvs": SHENZHEN,
    }
    assert told["beneficiary"] == {
        "person_id": str(parent.id),
        "psn_no": parent.psn_no,
        "pool_admdvs": ALAR,
    }
    [row] = await registry.rows(
        "SELECT key, subject FROM outbox WHERE topic = 'relations.relation'"
    )
    assert row == {"key": str(parent.id), "subject": relation_id}


async def test_the_beneficiary_may_propose_and_the_sharer_confirm(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    proposed = await registry.propose(parent, child, role="beneficiary")
    assert proposed.json["role"] == "beneficiary"
    confirmed = await registry.confirm(child, proposed.json["relation_id"])
    assert confirmed.json["role"] == "sharer"
    [told] = await registry.told(events.RelationActivated.TYPE)
    assert told["sharer"]["person_id"] == str(child.id)


async def test_an_opened_quota_told_twice_activates_once(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    relation_id = await activating(registry, child, parent)
    await registry.activate(relation_id)
    before = await registry.everything()
    await registry.activate(relation_id)
    assert await registry.everything() == before


async def test_a_quota_for_no_relation_or_no_consent_is_a_broken_promise(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    outcome = await registry.hear(quota_opened(uuid4(), child.id, parent.id))
    assert reason_of(outcome) == "AssertionError"
    proposed = await registry.propose(child, parent)
    assert reason_of(await registry.activate(proposed.json["relation_id"])) == "AssertionError"
    assert await states(registry, proposed.json["relation_id"]) == ["proposed"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE relation_event SET state = 'active'",
        "DELETE FROM relation_event",
        "TRUNCATE relation_event",
        "UPDATE enrolment_event SET status = 'active'",
        "DELETE FROM enrolment_event",
    ],
)
async def test_history_only_grows(
    registry: Registry, child: Somebody, parent: Somebody, change: str
) -> None:
    await registry.propose(child, parent)
    with pytest.raises(asyncpg.RestrictViolationError):
        await registry.pool.execute(change)


# Whom it concerns.


async def test_nobody_is_a_relative_of_their_own(registry: Registry, child: Somebody) -> None:
    assert (await registry.propose(child, child)).code == "kind-not-eligible"


async def test_unknown_persons_are_not_found(registry: Registry, child: Somebody) -> None:
    ghost = Somebody(**(vars(child) | {"person_id": uuid4()}))
    assert (await registry.propose(child, ghost)).code == "not-found"
    assert (await registry.propose(ghost, child)).code == "not-found"
    assert await registry.rows("SELECT FROM relation") == []


# Keys.


async def test_a_replay_is_byte_for_byte(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    first = await registry.propose(child, parent, "k1")
    refused = await registry.propose(child, parent, "k2")
    assert (first.status, refused.code) == (201, "relation-exists")
    before = await registry.everything()
    for original, key in ((first, "k1"), (refused, "k2")):
        again = await registry.propose(child, parent, key)
        assert again.replayed is True
        assert (again.status, again.body) == (original.status, original.body)
    assert await registry.everything() == before
    confirmed = await registry.confirm(parent, first.json["relation_id"], "k1")
    await registry.activate(first.json["relation_id"])
    again = await registry.confirm(parent, first.json["relation_id"], "k1")
    assert (again.replayed, again.body) == (True, confirmed.body)


async def test_a_refusal_stays_refused_under_its_key(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    await registry.tell(parent, LATER, status="suspended", since="2026-02-01")
    refused = await registry.propose(child, parent, "k1")
    assert refused.code == "not-insured"
    await registry.tell(parent, LATER, status="active", since="2026-03-01")
    again = await registry.propose(child, parent, "k1")
    assert (again.replayed, again.body) == (True, refused.body)
    assert (await registry.propose(child, parent, "k2")).code == "201"


async def test_a_refusal_for_lack_of_consent_may_be_tried_again(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    given = await registry.propose(child, parent, "k1", commitment_version="0")
    again = await registry.propose(child, parent, "k1", commitment_version="0")
    assert (given.code, again.code, again.replayed) == (
        "consent-required",
        "consent-required",
        False,
    )


async def test_a_key_used_for_something_else_is_refused(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    await registry.propose(child, parent, "k1")
    before = await registry.everything()
    assert (await registry.propose(child, parent, "k1", kind="spouse")).code == "key-reused"
    assert await registry.everything() == before
    # Another person's key of the same name is another key.
    other = await registry.propose(parent, child, "k1", role="beneficiary")
    assert other.code == "relation-exists"


async def test_one_batch_decides_in_order(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    given = await registry.call(
        proposal(child, parent, "a"),
        proposal(child, parent, "b"),
        proposal(child, parent, "a"),
        proposal(child, parent, "a", kind="spouse"),
    )
    codes = [answer.code for answer in given]
    assert codes == ["201", "relation-exists", "201", "key-reused"]
    assert [answer.replayed for answer in given] == [False, False, True, False]
    relation_id = given[0].json["relation_id"]
    given = await registry.call(
        confirmation(child, relation_id),
        confirmation(parent, relation_id, "c"),
        confirmation(parent, relation_id, "d"),
    )
    assert [answer.code for answer in given] == ["consent-required", "202", "wrong-state"]
