"""Under sixteen a guardian consents: the one who shares, or a parent (R13)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest

from gm.identity_number import check_digit
from policy.calendar import beijing_day
from tests.conftest import MigratedDatabase
from tests.support.relations import (
    ALAR,
    BEIJING,
    SHENZHEN,
    Registry,
    Somebody,
    registry_on,
    somebody,
)

TODAY = beijing_day(datetime.now(UTC))


@pytest.fixture
async def registry(migrated_database: MigratedDatabase) -> AsyncIterator[Registry]:
    async with registry_on(migrated_database("relations")) as one:
        yield one
        await one.audited()


def years_ago(years: int, *, less_days: int = 0) -> date:
    """The birthday of somebody who is so many years old in so many days."""
    day = TODAY + timedelta(days=less_days)
    if (day.month, day.day) == (2, 29):
        # Not every year has it; these are as old, or as young, all the same.
        day += timedelta(days=1 if less_days else -1)
    return day.replace(year=day.year - years)


def born(born_on: date, sequence: int, pool: str = ALAR, insutype: str = "390") -> Somebody:
    first_17 = f"990000{born_on:%Y%m%d}{sequence:03}"
    return somebody(pool, insutype, cert_no=first_17 + check_digit(first_17))


@pytest.fixture
async def parent(registry: Registry) -> Somebody:
    return await registry.known(somebody(SHENZHEN, "310"))


@pytest.fixture
async def child(registry: Registry) -> Somebody:
    return await registry.known(born(years_ago(10), 901))


async def told_by(registry: Registry, relation_id: str) -> list[tuple[object, object]]:
    rows = await registry.rows("SELECT actor_id, guardian_id FROM relation_event ORDER BY sequence")
    return [(row["actor_id"], row["guardian_id"]) for row in rows]


@pytest.mark.rule("R13")
async def test_from_sixteen_on_everybody_consents_in_person(
    registry: Registry, parent: Somebody
) -> None:
    sixteen = await registry.known(born(years_ago(16), 911))
    younger = await registry.known(born(years_ago(16, less_days=1), 912))
    for person, code in ((sixteen, "201"), (younger, "consent-required")):
        given = await registry.propose(person, parent, role="beneficiary", kind="child")
        assert given.code == code
    for person, code in ((sixteen, "consent-required"), (younger, "201")):
        given = await registry.propose(
            person,
            parent,
            role="beneficiary",
            kind="child",
            guardian_id=str(parent.id),
        )
        assert given.code == code
    facts = [(await registry.identify(each)).json()["of_age"] for each in (sixteen, younger)]
    assert facts == [True, False]


@pytest.mark.rule("R13")
async def test_the_sharer_consents_for_a_child_and_for_themself(
    registry: Registry, parent: Somebody, child: Somebody
) -> None:
    given = await registry.propose(
        child, parent, role="beneficiary", kind="child", guardian_id=str(parent.id)
    )
    assert (given.status, given.json["role"]) == (201, "beneficiary")
    relation_id = given.json["relation_id"]
    assert (await registry.confirm(parent, relation_id)).status == 202
    assert await told_by(registry, relation_id) == [(child.id, parent.id), (parent.id, None)]
    [row] = await registry.rows("SELECT commitment_version FROM relation")
    assert row["commitment_version"] == "1"


@pytest.mark.rule("R13")
@pytest.mark.parametrize("named", [True, False])
async def test_a_sharer_who_proposed_to_a_child_confirms_as_the_guardian(
    registry: Registry, parent: Somebody, child: Somebody, named: bool
) -> None:
    relation_id = (await registry.propose(parent, child, kind="child")).json["relation_id"]
    assert (await registry.confirm(child, relation_id)).code == "consent-required"
    if named:
        given = await registry.confirm(child, relation_id, guardian_id=str(parent.id))
    else:
        given = await registry.confirm(parent, relation_id)
    assert given.status == 202
    assert await told_by(registry, relation_id) == [(parent.id, None), (child.id, parent.id)]


@pytest.mark.rule("R13")
async def test_a_parent_consents_where_somebody_else_shares(
    registry: Registry, parent: Somebody, child: Somebody
) -> None:
    grandfather = await registry.known(somebody(BEIJING, "310"))
    stranger = await registry.known(somebody(SHENZHEN, "310"))
    wanted = {"role": "beneficiary", "kind": "sons_child"}
    for nobody in (parent, stranger):
        given = await registry.propose(child, grandfather, guardian_id=str(nobody.id), **wanted)
        assert given.code == "consent-required"
    # A parent is known by what they share with the child.
    relation_id = (await registry.propose(parent, child, kind="child")).json["relation_id"]
    await registry.confirm(parent, relation_id)
    await registry.activate(relation_id)
    given = await registry.propose(child, grandfather, guardian_id=str(parent.id), **wanted)
    assert given.status == 201
    refused = await registry.propose(child, grandfather, guardian_id=str(stranger.id), **wanted)
    assert refused.code == "consent-required"
    later = given.json["relation_id"]
    assert (await registry.confirm(grandfather, later)).status == 202
    assert (await registry.end(child, later, guardian_id=str(stranger.id))).code == (
        "consent-required"
    )
    assert (await registry.end(child, later, guardian_id=str(parent.id))).status == 202


@pytest.mark.rule("R13")
async def test_who_shares_otherwise_is_no_parent(registry: Registry, child: Somebody) -> None:
    aunt = await registry.known(somebody(SHENZHEN, "310"))
    grandfather = await registry.known(somebody(BEIJING, "310"))
    relation_id = (await registry.propose(aunt, child, kind="sibling")).json["relation_id"]
    await registry.confirm(aunt, relation_id)
    await registry.activate(relation_id)
    given = await registry.propose(child, grandfather, role="beneficiary", guardian_id=str(aunt.id))
    assert given.code == "consent-required"


@pytest.mark.rule("R13")
async def test_a_child_is_nobodys_guardian(
    registry: Registry, parent: Somebody, child: Somebody
) -> None:
    sister = await registry.known(born(years_ago(15), 921, SHENZHEN, "310"))
    given = await registry.propose(child, sister, role="beneficiary", guardian_id=str(sister.id))
    assert given.code == "consent-required"
    nobody = "00000000-0000-0000-0000-000000000001"
    given = await registry.propose(child, parent, role="beneficiary", guardian_id=nobody)
    assert given.code == "not-found"


async def test_leaving_needs_no_guardian(
    registry: Registry, parent: Somebody, child: Somebody
) -> None:
    relation_id = (await registry.propose(parent, child, kind="child")).json["relation_id"]
    assert (await registry.decline(child, relation_id)).status == 200
