"""Registrations for care away from home: heard from provinces, told to the wallet (R26)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from contracts import events
from kit.answers import Answer
from kit.records import Poison
from tests.conftest import MigratedDatabase
from tests.support.relations import (
    ALAR,
    BEIJING,
    SHENZHEN,
    TOLD_AT,
    Registry,
    Somebody,
    reason_of,
    registered,
    registry_on,
    somebody,
)

LATER = TOLD_AT + timedelta(hours=1)


@pytest.fixture
async def registry(migrated_database: MigratedDatabase) -> AsyncIterator[Registry]:
    async with registry_on(migrated_database("relations")) as one:
        yield one
        await one.audited()


@pytest.mark.rule("R26")
async def test_the_wallet_is_told_what_was_told_last(registry: Registry) -> None:
    person = await registry.known(somebody(SHENZHEN))
    await registry.hear(registered(person))
    await registry.hear(registered(person, BEIJING))
    await registry.hear(registered(person, ALAR, LATER, to="2026-06-30"))
    # Older, and the same again: nothing is told.
    await registry.hear(registered(person, ALAR, TOLD_AT))
    await registry.hear(registered(person, ALAR, LATER, to="2026-06-30"))
    told = await registry.told(events.PersonRegistered.TYPE)
    assert [(each["mdtrtarea_admvs"], each["valid_to"]) for each in told] == [
        (ALAR, "2026-12-31"),
        (BEIJING, "2026-12-31"),
        (ALAR, "2026-06-30"),
    ]
    assert {each["person_id"] for each in told} == {str(person.id)}
    keys = await registry.rows("SELECT DISTINCT key FROM outbox WHERE topic = 'relations.person'")
    assert keys == [{"key": str(person.id)}]


async def test_a_person_is_meant_by_the_number_in_any_pool_of_the_province(
    registry: Registry,
) -> None:
    person = await registry.known(somebody(SHENZHEN))
    moved = Somebody(**(vars(person) | {"pool_admdvs": "440100"}))
    await registry.tell(moved, LATER)
    outcome = await registry.hear(registered(person))
    assert isinstance(outcome, Answer)
    assert len(await registry.told(events.PersonRegistered.TYPE)) == 1


async def test_what_makes_no_sense_is_parked(registry: Registry) -> None:
    person = await registry.known(somebody(SHENZHEN))
    other = await registry.known(somebody("440100", psn_no=person.psn_no))
    assert other.id != person.id
    before = await registry.everything()
    assert reason_of(await registry.hear(registered(somebody()))) == "unknown-person"
    assert reason_of(await registry.hear(registered(person))) == "unknown-person"
    elsewhere = registered(somebody(BEIJING, psn_no="B1"), province="110000")
    assert reason_of(await registry.hear(elsewhere)) == "unknown-person"
    for bad, reason in (
        (registered(person, "999999"), "unknown-area"),
        (registered(person, "6590"), "bad-body"),
        (registered(person, to=None), "bad-body"),
        (registered(person, to="2026-13-01"), "bad-body"),
        (registered(person, psn_no=7), "bad-body"),
    ):
        with pytest.raises(Poison) as poison:
            await registry.hear(bad)
        assert poison.value.reason == reason
    assert await registry.everything() == before
