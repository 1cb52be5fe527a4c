"""What relations tells of a relation, a person or a key, for explanations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from contracts.internal import citizen_caller
from relations.edge.history import history
from tests.conftest import MigratedDatabase
from tests.support.histories import TOKEN, client_of, history_of, refuses, told
from tests.support.relations import ALAR, SHENZHEN, Registry, Somebody, registry_on, somebody


@pytest.fixture
async def registry(migrated_database: MigratedDatabase) -> AsyncIterator[Registry]:
    async with registry_on(migrated_database("relations")) as one:
        yield one
        await one.audited()


@pytest.fixture
async def client(registry: Registry) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(history(registry.room, TOKEN)) as client:
        yield client


async def a_life(registry: Registry) -> tuple[Somebody, Somebody, str]:
    """Proposed by the child, refused a second time, confirmed by the parent, ended by the child."""
    child = await registry.known(somebody(SHENZHEN, "310"))
    parent = await registry.known(somebody(ALAR, "390"))
    relation_id = str((await registry.propose(child, parent, "propose-1")).json["relation_id"])
    assert (await registry.propose(child, parent, "propose-2")).code == "relation-exists"
    assert (await registry.confirm(parent, relation_id, "confirm-1")).status == 202
    await registry.activate(relation_id)
    assert (await registry.end(child, relation_id, "end-1")).status == 202
    await registry.close(relation_id)
    return child, parent, relation_id


@pytest.mark.rule("R3")
async def test_a_relation_from_its_proposal_to_its_end(
    registry: Registry, client: httpx.AsyncClient
) -> None:
    child, parent, relation_id = await a_life(registry)
    await a_life(registry)
    found = await history_of(client, relation_id)
    states = [each for each in told(found) if each.startswith("relation.")]
    assert states == [
        "relation.proposed R3 R1 R2",
        "relation.activating R3 R29",
        "relation.active R3 R7",
        "relation.ending R3 R6",
        "relation.ended R3 R6",
    ]
    both = {citizen_caller(each.id) for each in (child, parent)}
    for step in found.steps:
        if step.type.startswith("relation."):
            assert set(step.seen_by) == both
    keys = {step.key: step.seen_by for step in found.steps if step.key is not None}
    assert keys == {
        "propose-1": (citizen_caller(child.id),),
        "confirm-1": (citizen_caller(parent.id),),
        "end-1": (citizen_caller(child.id),),
    }
    of_key = await history_of(client, "confirm-1", caller=citizen_caller(parent.id))
    assert told(of_key) == told(found)
    assert told(await history_of(client, uuid4(), also=[relation_id])) == told(found)


async def test_a_refused_proposal_is_explained_by_its_key(
    registry: Registry, client: httpx.AsyncClient
) -> None:
    child, parent, _ = await a_life(registry)
    found = await history_of(client, "propose-2", caller=citizen_caller(child.id))
    assert told(found) == ["request.refused relation-exists R4"]
    another = await history_of(client, "propose-2", caller=citizen_caller(parent.id))
    assert another.steps == ()


@pytest.mark.rule("R5")
async def test_a_person_and_what_an_insurance_ended(
    registry: Registry, client: httpx.AsyncClient
) -> None:
    child = await registry.known(somebody(SHENZHEN, "310"))
    parent = await registry.known(somebody(ALAR, "390"))
    relation_id = str((await registry.propose(child, parent)).json["relation_id"])
    assert (await registry.confirm(parent, relation_id)).status == 202
    await registry.activate(relation_id)
    await registry.tell(child, status="ended", since="2026-11-20")
    found = await history_of(client, child.id)
    assert told(found)[0] == "enrolment.active R1"
    assert set(told(found)[-2:]) == {"enrolment.ended R5", "relation.ending R5 R6"}
    of_child = [step for step in found.steps if step.type.startswith("enrolment.")]
    assert {step.seen_by for step in of_child} == {(citizen_caller(child.id),)}
    assert {step.admdvs for step in of_child} == {SHENZHEN}
    text = found.model_dump_json()
    for secret in (child.cert_no, child.name, child.psn_no, parent.cert_no, parent.name):
        assert secret not in text


async def test_what_nobody_knows_has_no_history(
    registry: Registry, client: httpx.AsyncClient
) -> None:
    await a_life(registry)
    for name in (uuid4(), "nothing", "a/b?c"):
        found = await history_of(client, name)
        assert (found.steps, found.relations) == ((), ())
    for wrong in ("also=x", "also=", "&".join(f"also={uuid4()}" for _ in range(201))):
        given = await client.get(f"/internal/history/x?{wrong}")
        assert (given.status_code, given.json()["code"]) == (422, "invalid"), wrong[:50]
    await refuses(client)
