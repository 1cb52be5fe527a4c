"""The rules that decide a relation (R1-R4, R15, R29), each seen to refuse and to let pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import events
from policy.policy import Policy
from tests.conftest import MigratedDatabase
from tests.support.places import LOCAL_POLICY
from tests.support.relations import (
    ALAR,
    BEIJING,
    SHENZHEN,
    TOLD_AT,
    Registry,
    Somebody,
    proposal,
    registry_on,
    somebody,
)

LATER = TOLD_AT + timedelta(hours=1)
CLOSED = "469030"
"""The one pool of the local policy that is not open."""

SHIHEZI = "659001"


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


async def consented(registry: Registry, child: Somebody, parent: Somebody) -> str:
    relation_id = str((await registry.propose(child, parent)).json["relation_id"])
    assert (await registry.confirm(parent, relation_id)).status == 202
    return relation_id


async def states(registry: Registry, relation_id: str) -> list[str]:
    rows = await registry.rows(
        "SELECT state FROM relation_event WHERE relation_id = $1 ORDER BY sequence",
        UUID(relation_id),
    )
    return [row["state"] for row in rows]


# R1: who may take part.


@pytest.mark.rule("R1")
async def test_both_have_to_be_actively_insured(registry: Registry) -> None:
    changes: list[dict[str, Any]] = [
        {"status": "suspended"},
        {"status": "ended", "reason": "ended"},
        {"status": "ended", "reason": "deceased"},
        {"status": "moved", "reason": "moved"},
    ]
    for change in changes:
        sharer = await registry.known(somebody(SHENZHEN, "310"))
        resident = await registry.known(somebody(ALAR, "390"))
        former = await registry.known(somebody(SHENZHEN, "310"))
        gone = await registry.known(somebody(ALAR, "390"))
        for person in (former, gone):
            await registry.tell(person, LATER, since="2026-02-01", **change)
        assert (await registry.propose(former, resident)).code == "not-insured", change
        assert (await registry.propose(sharer, gone)).code == "not-insured", change
        assert (await registry.propose(sharer, resident)).code == "201", change


@pytest.mark.rule("R1")
async def test_a_sharer_needs_the_account_of_an_employee(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    assert (await registry.propose(parent, child)).code == "not-insured"
    assert (await registry.propose(child, parent, role="beneficiary")).code == "not-insured"


@pytest.mark.rule("R1")
async def test_a_beneficiary_is_an_employee_or_a_resident(
    registry: Registry, child: Somebody
) -> None:
    answers = {}
    for insutype in ("310", "390", "340", "410", "510"):
        other = await registry.known(somebody(ALAR, insutype))
        answers[insutype] = (await registry.propose(child, other)).code
    assert answers == {
        "310": "201",
        "390": "201",
        "340": "not-insured",
        "410": "not-insured",
        "510": "not-insured",
    }


@pytest.mark.rule("R1")
async def test_who_lost_the_insurance_meanwhile_cannot_be_confirmed(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    proposed = await registry.propose(child, parent)
    await registry.tell(child, LATER, status="ended", since="2026-02-01")
    given = await registry.confirm(parent, proposed.json["relation_id"])
    assert given.code == "not-insured"
    assert await registry.told(events.RelationActivated.TYPE) == []


# R2: kinds.


@pytest.mark.rule("R2")
async def test_near_relatives_are_eight_kinds(registry: Registry, child: Somebody) -> None:
    eight = (
        *("spouse", "parent", "child", "sibling"),
        *("paternal_grandparent", "maternal_grandparent", "sons_child", "daughters_child"),
    )
    for kind in eight:
        relative = await registry.known(somebody(ALAR, "390"))
        given = await registry.propose(child, relative, kind=kind)
        assert (given.code, given.json["kind"]) == ("201", kind)
    stranger = await registry.known(somebody(ALAR, "390"))
    for kind in ("cousin", "friend", "Parent", "grandchild", "paired_household"):
        assert (await registry.propose(child, stranger, kind=kind)).code == "kind-not-eligible"


@pytest.mark.rule("R2")
async def test_a_paired_household_exists_where_the_region_says_so(registry: Registry) -> None:
    farmer = await registry.known(somebody(ALAR, "310"))
    herder = await registry.known(somebody(SHIHEZI, "390"))
    given = await registry.propose(farmer, herder, kind="paired_household")
    assert given.code == "201"


# R3: both consent.


@pytest.mark.rule("R3")
async def test_nobody_consents_for_the_other(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    stranger = await registry.known(somebody(BEIJING, "310"))
    relation_id = (await registry.propose(child, parent)).json["relation_id"]
    assert (await registry.confirm(child, relation_id)).code == "consent-required"
    assert (await registry.confirm(stranger, relation_id)).code == "not-found"
    assert (await registry.confirm(parent, str(uuid4()))).code == "not-found"
    assert await states(registry, relation_id) == ["proposed"]
    assert await registry.told(events.RelationActivated.TYPE) == []


@pytest.mark.rule("R3")
async def test_consent_is_to_a_letter_in_force(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    given = await registry.propose(child, parent, commitment_version="0")
    assert given.code == "consent-required"
    assert (await registry.propose(child, parent)).code == "201"
    [row] = await registry.rows("SELECT commitment_version, proposed_by FROM relation")
    assert row == {"commitment_version": "1", "proposed_by": "sharer"}


@pytest.mark.rule("R3")
async def test_consent_is_given_once(registry: Registry, child: Somebody, parent: Somebody) -> None:
    relation_id = await consented(registry, child, parent)
    assert (await registry.confirm(parent, relation_id, "fresh")).code == "wrong-state"
    await registry.activate(relation_id)
    assert (await registry.confirm(parent, relation_id, "fresher")).code == "wrong-state"
    assert (await registry.confirm(child, relation_id, "mine")).code == "wrong-state"
    assert len(await registry.told(events.RelationActivated.TYPE)) == 1


# R4: many to many, directed.


@pytest.mark.rule("R4")
async def test_a_relation_exists_once_in_each_direction(registry: Registry) -> None:
    one = await registry.known(somebody(SHENZHEN, "310"))
    other = await registry.known(somebody(BEIJING, "310"))
    there = await registry.propose(one, other, kind="spouse")
    assert there.code == "201"
    assert (await registry.propose(one, other, kind="sibling")).code == "relation-exists"
    again = await registry.propose(other, one, role="beneficiary", kind="spouse")
    assert again.code == "relation-exists"
    back = await registry.propose(other, one, kind="spouse")
    assert back.code == "201"
    await registry.confirm(other, there.json["relation_id"])
    assert (await registry.propose(one, other, kind="spouse")).code == "relation-exists"
    await registry.activate(there.json["relation_id"])
    assert (await registry.propose(one, other, kind="spouse")).code == "relation-exists"


@pytest.mark.rule("R4")
async def test_many_share_with_many(registry: Registry) -> None:
    children = [await registry.known(somebody(SHENZHEN, "310")) for _ in range(2)]
    parents = [await registry.known(somebody(ALAR, "390")) for _ in range(3)]
    given = await registry.call(*(proposal(c, p) for c in children for p in parents))
    assert [answer.code for answer in given] == ["201"] * 6


@pytest.mark.rule("R4")
async def test_what_was_over_may_begin_again(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    relation_id = (await registry.propose(child, parent)).json["relation_id"]
    # Declining is not built yet; its row is.
    await registry.pool.execute(
        "UPDATE relation SET state = 'declined', sequence = 2 WHERE relation_id = $1",
        UUID(relation_id),
    )
    await registry.pool.execute(
        """
        INSERT INTO relation_event (relation_id, sequence, state, actor_id, happened_at)
        SELECT relation_id, 2, 'declined', beneficiary_id, changed_at FROM relation
        """
    )
    assert (await registry.propose(child, parent)).code == "201"


@pytest.mark.rule("R4")
async def test_a_region_may_cap_what_a_sharer_gives(
    migrated_database: MigratedDatabase, tmp_path: Path
) -> None:
    cap = """
        region: "440000"
        name: 广东省（有上限）
        settings:
          relation_cap: [{value: 2, valid_from: 2025-01-01, grade: C, source: a test}]
          area_open: [{value: true, valid_from: 2025-01-01, grade: D, source: a test}]
    """
    for file in LOCAL_POLICY.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "440000.yaml").write_text(cap)
    async with registry_on(
        migrated_database("relations"), policy=Policy.load(tmp_path)
    ) as registry:
        sharer = await registry.known(somebody(SHENZHEN, "310"))
        others = [await registry.known(somebody(ALAR, "310")) for _ in range(3)]
        given = await registry.call(*(proposal(sharer, other) for other in others))
        assert [answer.code for answer in given] == ["201", "201", "wrong-state"]
        # Being given to is not capped, and Alar caps nothing.
        assert (await registry.propose(others[0], sharer)).code == "201"
        await registry.audited()


# R15: inside one province.


@pytest.mark.rule("R15")
async def test_inside_a_province_only_where_it_opted_in(registry: Registry) -> None:
    table = [
        (SHENZHEN, "440100", "area-not-open"),  # Guangdong has not opted in
        (SHENZHEN, SHENZHEN, "area-not-open"),
        (BEIJING, BEIJING, "area-not-open"),
        (ALAR, SHIHEZI, "201"),  # the XPCC has
        (ALAR, ALAR, "201"),
        (SHENZHEN, BEIJING, "201"),
        (ALAR, "650100", "201"),  # neighbours, but two provinces
    ]
    for sharer_pool, beneficiary_pool, answer in table:
        sharer = await registry.known(somebody(sharer_pool, "310"))
        beneficiary = await registry.known(somebody(beneficiary_pool, "390"))
        given = await registry.propose(sharer, beneficiary)
        assert given.code == answer, (sharer_pool, beneficiary_pool)


# R29: areas and wallets.


@pytest.mark.rule("R29")
async def test_both_areas_have_to_be_open(registry: Registry, child: Somebody) -> None:
    employee = await registry.known(somebody(CLOSED, "310"))
    resident = await registry.known(somebody(CLOSED, "390"))
    assert (await registry.propose(child, resident)).code == "area-not-open"
    assert (await registry.propose(employee, child)).code == "area-not-open"


@pytest.mark.rule("R29")
async def test_an_area_is_open_until_its_last_day(
    migrated_database: MigratedDatabase, tmp_path: Path
) -> None:
    day_policy = """
        region: "440000"
        name: 广东省（已关闭）
        settings:
          area_open:
            - {value: true, valid_from: 2025-01-01, valid_to: 2025-12-31, grade: D, source: a test}
            - {value: false, valid_from: 2026-01-01, grade: D, source: a test}
    """
    for file in LOCAL_POLICY.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "440000.yaml").write_text(day_policy)
    async with registry_on(
        migrated_database("relations"), policy=Policy.load(tmp_path)
    ) as registry:
        sharer = await registry.known(somebody(SHENZHEN, "310"))
        other = await registry.known(somebody(ALAR, "390"))
        assert (await registry.propose(sharer, other)).code == "area-not-open"
        await registry.audited()


@pytest.mark.rule("R29")
async def test_both_wallets_have_to_be_open(
    registry: Registry, child: Somebody, parent: Somebody
) -> None:
    changes: list[dict[str, Any]] = [
        {"proposer_wallet_open": False},
        {"counterpart_wallet_open": False},
    ]
    for change in changes:
        assert (await registry.propose(child, parent, **change)).code == "wallet-not-open"
        given = await registry.propose(parent, child, role="beneficiary", **change)
        assert given.code == "wallet-not-open"
