"""What becomes of a relation when an insurance changes on which it rests (R5, R34-R36)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from contracts import events
from kit.answers import Answer
from relations.edge import room
from relations.store.relations import relatives_of
from tests.conftest import MigratedDatabase
from tests.support.relations import (
    ALAR,
    BEIJING,
    SHENZHEN,
    TOLD_AT,
    Registry,
    Somebody,
    registry_on,
    somebody,
    told,
)

LATER = TOLD_AT + timedelta(hours=1)
LATEST = TOLD_AT + timedelta(hours=2)


@pytest.fixture
async def registry(migrated_database: MigratedDatabase) -> AsyncIterator[Registry]:
    async with registry_on(migrated_database("relations")) as one:
        yield one
        await one.audited()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    sharer: Somebody
    beneficiary: Somebody
    relation_id: str


async def kin(registry: Registry, *, active: bool = True) -> Kin:
    sharer = await registry.known(somebody(SHENZHEN, "310"))
    beneficiary = await registry.known(somebody(ALAR, "390"))
    relation_id = str((await registry.propose(sharer, beneficiary)).json["relation_id"])
    assert (await registry.confirm(beneficiary, relation_id)).status == 202
    if active:
        await registry.activate(relation_id)
    return Kin(sharer=sharer, beneficiary=beneficiary, relation_id=relation_id)


async def change(registry: Registry, person: Somebody, at: Any = LATER, **changes: Any) -> None:
    outcome = await registry.tell(person, at, **{"since": "2026-02-01", "sealed": None} | changes)
    assert isinstance(outcome, Answer), outcome
    assert outcome.status == 200


def under(person: Somebody, **changes: Any) -> Somebody:
    """The same person by another enrolment."""
    return Somebody(**(vars(person) | changes))


ENDS = [
    # who            what the province tells                              the relation ends as
    ("sharer", {"status": "ended", "reason": "ended"}, "ended"),
    ("sharer", {"status": "ended"}, "ended"),
    ("sharer", {"status": "moved", "reason": "moved"}, "moved"),
    ("sharer", {"status": "ended", "reason": "moved"}, "moved"),
    ("sharer", {"status": "ended", "reason": "deceased"}, "deceased"),
    ("beneficiary", {"status": "moved"}, "moved"),
    ("beneficiary", {"status": "ended", "reason": "moved"}, "moved"),
    ("beneficiary", {"status": "ended", "reason": "deceased"}, "deceased"),
]


@pytest.mark.rule("R5")
@pytest.mark.rule("R36")
@pytest.mark.parametrize("end", ENDS, ids=lambda end: f"{end[0]}-{end[2]}")
async def test_a_relation_ends_by_itself(
    registry: Registry, end: tuple[str, dict[str, str], str]
) -> None:
    who, changes, reason = end
    family, others = await kin(registry), await kin(registry)
    await change(registry, getattr(family, who), **changes)
    [ended] = await registry.told(events.RelationEnded.TYPE)
    assert (ended["relation_id"], ended["reason"]) == (family.relation_id, reason)
    assert ended["since"] == "2026-02-01"
    await registry.close(family.relation_id)
    assert (await registry.states(family.relation_id))[-3:] == ["active", "ending", "ended"]
    assert (await registry.states(others.relation_id))[-1] == "active"


@pytest.mark.rule("R5")
@pytest.mark.parametrize("who", ["sharer", "beneficiary"])
async def test_a_suspension_suspends_and_its_end_resumes(registry: Registry, who: str) -> None:
    family = await kin(registry)
    await change(registry, getattr(family, who), status="suspended")
    [suspended] = await registry.told(events.RelationSuspended.TYPE)
    assert suspended["relation_id"] == family.relation_id
    assert (await registry.states(family.relation_id))[-1] == "suspended"
    await change(registry, getattr(family, who), since="2026-03-01", status="active")
    assert len(await registry.told(events.RelationResumed.TYPE)) == 1
    assert (await registry.states(family.relation_id))[-2:] == ["suspended", "active"]
    assert await registry.told(events.RelationEnded.TYPE) == []
    keys = await registry.rows("SELECT DISTINCT key FROM outbox WHERE topic = 'relations.relation'")
    assert keys == [{"key": str(family.beneficiary.id)}]


@pytest.mark.rule("R5")
async def test_it_is_resumed_when_both_are_insured_again(registry: Registry) -> None:
    family = await kin(registry)
    await change(registry, family.sharer, status="suspended")
    await change(registry, family.beneficiary, status="suspended")
    await change(registry, family.sharer, since="2026-03-01", status="active")
    assert (await registry.states(family.relation_id))[-1] == "suspended"
    await change(registry, family.beneficiary, since="2026-03-01", status="active")
    assert (await registry.states(family.relation_id))[-2:] == ["suspended", "active"]
    assert len(await registry.told(events.RelationSuspended.TYPE)) == 1


@pytest.mark.rule("R5")
async def test_either_may_end_what_is_suspended(registry: Registry) -> None:
    family = await kin(registry)
    await change(registry, family.sharer, status="suspended")
    assert (await registry.end(family.beneficiary, family.relation_id)).status == 202
    await registry.close(family.relation_id)
    await change(registry, family.sharer, since="2026-03-01", status="active")
    assert (await registry.states(family.relation_id))[-2:] == ["ending", "ended"]


@pytest.mark.rule("R5")
async def test_a_scheme_that_nothing_follows_ends_it(registry: Registry) -> None:
    family = await kin(registry)
    await change(registry, family.beneficiary, status="ended", reason="ended")
    assert (await registry.states(family.relation_id))[-1] == "suspended"
    await registry.room.sweep()
    assert (await registry.states(family.relation_id))[-1] == "suspended"
    await registry.patience_is_over()
    await registry.room.sweep()
    await registry.room.sweep()
    [ended] = await registry.told(events.RelationEnded.TYPE)
    assert (ended["reason"], ended["since"]) == ("ended", "2026-02-01")
    assert (await registry.states(family.relation_id))[-1] == "ending"


@pytest.mark.rule("R5")
@pytest.mark.parametrize("first", ["end", "beginning"])
async def test_a_change_of_scheme_in_the_same_area_keeps_it(registry: Registry, first: str) -> None:
    family = await kin(registry)
    employed = under(family.beneficiary, insutype="310")
    changes = [(family.beneficiary, {"status": "ended"}), (employed, {"status": "active"})]
    for person, told_of in changes if first == "end" else reversed(changes):
        await change(registry, person, **told_of)
    await registry.patience_is_over()
    await registry.room.sweep()
    assert (await registry.states(family.relation_id))[-1] == "active"
    assert await registry.told(events.RelationEnded.TYPE) == []


@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    ("begins", "state"), [("2026-02-02", "active"), ("2026-02-03", "ending")], ids=["next", "gap"]
)
async def test_the_next_scheme_begins_without_a_gap(
    registry: Registry, begins: str, state: str
) -> None:
    family = await kin(registry)
    await change(registry, family.beneficiary, status="ended")
    await change(registry, under(family.beneficiary, insutype="310"), LATEST, since=begins)
    assert (await registry.states(family.relation_id))[-1] == state


@pytest.mark.rule("R5")
async def test_a_scheme_of_another_area_does_not_keep_it(registry: Registry) -> None:
    family = await kin(registry)
    elsewhere = under(family.beneficiary, insutype="310", pool_admdvs=BEIJING, psn_no="B77")
    await registry.tell(elsewhere, LATER)
    await change(registry, family.beneficiary, status="ended")
    await registry.patience_is_over()
    await registry.room.sweep()
    assert (await registry.states(family.relation_id))[-1] == "ending"


@pytest.mark.rule("R5")
async def test_the_sharer_losing_the_account_ends_it_whatever_else_there_is(
    registry: Registry,
) -> None:
    family = await kin(registry)
    await registry.tell(under(family.sharer, insutype="390"), LATER)
    await change(registry, family.sharer, status="ended")
    [ended] = await registry.told(events.RelationEnded.TYPE)
    assert ended["reason"] == "ended"


@pytest.mark.rule("R5")
async def test_insurance_may_change_while_the_wallet_is_still_asked(registry: Registry) -> None:
    ended, suspended = await kin(registry, active=False), await kin(registry, active=False)
    await change(registry, ended.sharer, status="ended")
    await change(registry, suspended.sharer, status="suspended")
    assert (await registry.states(suspended.relation_id))[-1] == "activating"
    for family in (ended, suspended):
        await registry.activate(family.relation_id)
    assert (await registry.states(ended.relation_id))[-1] == "ending"
    assert (await registry.states(suspended.relation_id))[-2:] == ["active", "suspended"]


@pytest.mark.rule("R35")
async def test_a_correction_reopens_only_with_new_consent(registry: Registry) -> None:
    family = await kin(registry)
    await change(registry, family.sharer, status="ended")
    await registry.close(family.relation_id)
    await change(registry, family.sharer, LATEST, status="active")
    assert (await registry.states(family.relation_id))[-1] == "ended"
    again = await registry.propose(family.sharer, family.beneficiary)
    assert (again.status, again.json["state"]) == (201, "proposed")


async def test_what_was_only_proposed_is_not_told_to_the_wallet(registry: Registry) -> None:
    sharer = await registry.known(somebody(SHENZHEN, "310"))
    beneficiary = await registry.known(somebody(ALAR, "390"))
    relation_id = (await registry.propose(sharer, beneficiary)).json["relation_id"]
    await change(registry, sharer, status="ended")
    assert (await registry.confirm(beneficiary, relation_id)).code == "not-insured"
    assert await registry.states(relation_id) == ["proposed"]
    assert await registry.told(events.RelationEnded.TYPE) == []


@pytest.mark.rule("R5")
async def test_everything_a_person_gives_and_is_given_is_looked_at(registry: Registry) -> None:
    middle = await registry.known(somebody(BEIJING, "310"))
    above = await registry.known(somebody(SHENZHEN, "310"))
    below = [await registry.known(somebody(ALAR, "390")) for _ in range(2)]
    relations = []
    for sharer, beneficiary in ((above, middle), (middle, below[0]), (middle, below[1])):
        relation_id = (await registry.propose(sharer, beneficiary)).json["relation_id"]
        await registry.confirm(beneficiary, relation_id)
        await registry.activate(relation_id)
        relations.append(relation_id)
    await change(registry, middle, status="moved")
    ended = {each["relation_id"] for each in await registry.told(events.RelationEnded.TYPE)}
    assert ended == set(relations)


@pytest.mark.rule("R5")
async def test_of_two_changes_at_once_none_is_overlooked(
    migrated_database: MigratedDatabase,
) -> None:
    """Both persons' provinces tell at the same moment, each to a process of its own."""
    dsn = migrated_database("relations")
    async with registry_on(dsn, size=1) as one, registry_on(dsn, size=1) as other:
        for _ in range(6):
            family = await kin(one)
            await change(one, family.sharer, status="suspended")
            resumed = one.provinces.understand(
                told(family.sharer, LATEST, status="active", since="2026-03-01", sealed=None)
            )
            suspended = other.provinces.understand(
                told(
                    family.beneficiary, LATEST, status="suspended", since="2026-03-01", sealed=None
                )
            )
            await asyncio.gather(one.perform(resumed), other.perform(suspended))
            assert (await one.states(family.relation_id))[-1] == "suspended"
        await one.audited()


@pytest.mark.rule("R5")
async def test_who_became_a_relative_after_the_look_is_locked_by_another_look(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = await kin(registry)
    looks = []

    async def overlooks_once(tx: Any, persons: Any, states: Any) -> dict[Any, frozenset[Any]]:
        looks.append(persons)
        return {} if len(looks) == 1 else await relatives_of(tx, persons, states)

    monkeypatch.setattr(room, "relatives_of", overlooks_once)
    await change(registry, family.sharer, status="moved")
    assert len(looks) == 2
    assert (await registry.states(family.relation_id))[-1] == "ending"
