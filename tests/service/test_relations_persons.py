"""Enrolments on real PostgreSQL: who becomes known, what is newer, what is parked and why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts import events
from kit.work import Broken
from policy.calendar import beijing_day
from tests.conftest import MigratedDatabase
from tests.support.relations import (
    ALAR,
    BEIJING,
    SHENZHEN,
    TOLD_AT,
    Registry,
    Somebody,
    reason_of,
    registry_on,
    somebody,
    told,
)

LATER = TOLD_AT + timedelta(hours=1)


@pytest.fixture
async def registry(migrated_database: MigratedDatabase) -> AsyncIterator[Registry]:
    async with registry_on(migrated_database("relations")) as one:
        yield one
        await one.audited()


async def test_a_person_becomes_known_and_is_told_on(registry: Registry) -> None:
    person = await registry.known(somebody())
    [event] = await registry.told(events.PersonChanged.TYPE)
    assert event == {
        "person_id": str(person.id),
        "version": 1,
        "psn_no": person.psn_no,
        "pool_admdvs": SHENZHEN,
        "insutype": "310",
        "insured": True,
    }
    [row] = await registry.rows("SELECT topic, key, sequence, subject FROM outbox")
    assert row == {
        "topic": "relations.person",
        "key": str(person.id),
        "sequence": 1,
        "subject": str(person.id),
    }


async def test_no_number_and_no_name_is_kept_or_told_in_clear(registry: Registry) -> None:
    person = await registry.known(somebody(name="欧阳锋"))
    everything = repr(await registry.everything())
    outbox = b"".join(row["data"] for row in await registry.rows("SELECT data FROM outbox"))
    for secret in (person.cert_no, person.name):
        assert secret not in everything
        assert repr(secret.encode())[2:-1] not in everything
        assert secret.encode() not in outbox


async def test_a_repeated_message_changes_nothing(registry: Registry) -> None:
    person = await registry.known(somebody())
    before = await registry.everything()
    for _ in range(3):
        await registry.tell(person)
    assert await registry.everything() == before


async def test_told_again_later_changes_nothing_that_others_see(registry: Registry) -> None:
    person = await registry.known(somebody())
    await registry.tell(person, LATER)
    assert len(await registry.told(events.PersonChanged.TYPE)) == 1
    # A suspension of the same day that was told in between is older than what is known.
    await registry.tell(person, TOLD_AT + timedelta(minutes=30), status="suspended")
    assert (await registry.find(person.psn_no)).json()["primary"]["insured"] is True


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
async def test_older_never_wins_over_newer(registry: Registry, order: tuple[int, ...]) -> None:
    person = somebody()
    stories: list[dict[str, Any]] = [
        {"status": "active", "since": "2026-01-01"},
        {"status": "suspended", "since": "2026-03-01"},
        {"status": "ended", "since": "2026-05-01", "reason": "ended"},
    ]
    for n in order:
        await registry.tell(person, **stories[n])
    [row] = await registry.rows("SELECT status, since::text AS since, reason FROM enrolment")
    assert row == {"status": "ended", "since": "2026-05-01", "reason": "ended"}
    last = (await registry.told(events.PersonChanged.TYPE))[-1]
    assert last["insured"] is False
    assert last["version"] == len(await registry.told(events.PersonChanged.TYPE))


async def test_of_two_changes_of_one_day_the_later_told_counts(registry: Registry) -> None:
    person = await registry.known(somebody())
    await registry.tell(person, LATER, status="suspended")
    await registry.tell(person, TOLD_AT + timedelta(minutes=1), status="ended")
    [row] = await registry.rows("SELECT status FROM enrolment")
    assert row["status"] == "suspended"


async def test_one_certificate_in_two_areas_is_one_person(registry: Registry) -> None:
    here = await registry.known(somebody(SHENZHEN, "310"))
    there = somebody(BEIJING, "390", cert_no=here.cert_no, name=here.name)
    there = await registry.known(there)
    assert there.id == here.id
    facts = (await registry.find(there.psn_no)).json()
    assert facts["version"] == 2
    assert facts["primary"]["pool_admdvs"] == SHENZHEN
    assert facts["employee"]["psn_no"] == here.psn_no


async def test_the_active_enrolment_stands_for_the_person(registry: Registry) -> None:
    person = await registry.known(somebody(SHENZHEN, "310"))
    await registry.tell(person, insutype="390")
    assert (await registry.find(person.psn_no)).json()["primary"]["insutype"] == "310"
    await registry.tell(person, LATER, status="ended", since="2026-06-01")
    facts = (await registry.find(person.psn_no)).json()
    assert facts["primary"]["insutype"] == "390"
    assert facts["primary"]["insured"] is True
    assert facts["employee"] == {
        "psn_no": person.psn_no,
        "pool_admdvs": SHENZHEN,
        "insutype": "310",
        "insured": False,
    }


async def test_a_known_number_needs_no_certificate(registry: Registry) -> None:
    person = await registry.known(somebody())
    bare = {"sealed": None, "psn_cert_type": None}
    await registry.tell(person, LATER, status="suspended", **bare)
    assert (await registry.find(person.psn_no)).json()["primary"]["insured"] is False
    # The same number in another pool of the province is the same person.
    await registry.tell(person, LATER, pool_admdvs="440100", **bare)
    facts = (await registry.find(person.psn_no)).json()
    assert (facts["person_id"], facts["primary"]["pool_admdvs"]) == (str(person.id), "440100")


async def test_a_number_means_nothing_in_another_province(registry: Registry) -> None:
    person = await registry.known(somebody())
    stranger = Somebody(**(vars(person) | {"pool_admdvs": ALAR, "person_id": None}))
    outcome = await registry.tell(stranger, sealed=None)
    assert reason_of(outcome) == "unknown-person"


async def test_two_people_may_have_one_number_in_two_areas(registry: Registry) -> None:
    one = await registry.known(somebody(SHENZHEN))
    other = await registry.known(somebody(BEIJING, psn_no=one.psn_no))
    assert one.id != other.id
    assert (await registry.find(one.psn_no)).status_code == 404
    found = await registry.find(one.psn_no, BEIJING)
    assert found.json()["person_id"] == str(other.id)


async def test_a_corrected_name_replaces_the_old_one(registry: Registry) -> None:
    person = await registry.known(somebody(name="张三"))
    corrected = Somebody(**(vars(person) | {"name": "张山"}))
    await registry.tell(corrected, LATER)
    assert (await registry.identify(person)).status_code == 404
    assert (await registry.identify(corrected)).json()["version"] == 2


async def test_an_unknown_person_without_certificate_is_parked(registry: Registry) -> None:
    outcome = await registry.tell(somebody(), sealed=None)
    assert reason_of(outcome) == "unknown-person"
    assert await registry.rows("SELECT FROM person") == []


async def test_a_number_of_somebody_else_is_parked(registry: Registry) -> None:
    person = await registry.known(somebody())
    thief = somebody(psn_no=person.psn_no)
    before = await registry.everything()
    assert reason_of(await registry.tell(thief)) == "number-of-another"
    assert await registry.everything() == before


async def test_what_is_told_for_a_day_to_come_takes_effect_on_that_day(
    registry: Registry,
) -> None:
    person, today = somebody(), beijing_day(datetime.now(UTC))
    in_a_week = (today + timedelta(days=7)).isoformat()
    assert not isinstance(await registry.tell(person, since=in_a_week), Broken)
    await registry.room.sweep()
    assert (await registry.identify(person)).status_code == 404

    await registry.day_comes()
    await registry.room.sweep()
    found = (await registry.identify(person)).json()
    assert (found["version"], found["primary"]["insured"]) == (1, True)
    await registry.room.sweep()
    assert (await registry.identify(person)).json()["version"] == 1
    [row] = await registry.rows("SELECT outcome FROM enrolment_ahead")
    assert row["outcome"] == "recorded"


async def test_of_two_told_for_one_day_the_one_told_later_takes_effect(registry: Registry) -> None:
    person = await registry.known(somebody())
    in_a_week = (beijing_day(datetime.now(UTC)) + timedelta(days=7)).isoformat()
    await registry.tell(person, LATER, since=in_a_week, status="ended", sealed=None)
    await registry.tell(
        person, LATER + timedelta(hours=1), since=in_a_week, status="suspended", sealed=None
    )
    await registry.tell(person, LATER, since=in_a_week, status="ended", sealed=None)
    await registry.day_comes()
    await registry.room.sweep()
    [row] = await registry.rows("SELECT status FROM enrolment")
    assert row["status"] == "suspended"


async def test_what_makes_no_sense_on_its_day_is_not_tried_for_ever(registry: Registry) -> None:
    person = await registry.known(somebody())
    in_a_week = (beijing_day(datetime.now(UTC)) + timedelta(days=7)).isoformat()
    newcomer = somebody()
    await registry.tell(newcomer, since=in_a_week)
    await registry.pool.execute(
        "UPDATE enrolment_ahead SET psn_no = $1, pool_admdvs = $2",
        person.psn_no,
        person.pool_admdvs,
    )
    await registry.day_comes()
    await registry.room.sweep()
    [row] = await registry.rows("SELECT outcome FROM enrolment_ahead")
    assert row["outcome"] == "number-of-another"


async def test_a_batch_sees_what_stands_before_it(registry: Registry) -> None:
    person = somebody()
    raws = [
        told(person),
        told(person, LATER, status="suspended", sealed=None),
        told(somebody(), sealed=None),
        told(person, LATER + timedelta(hours=1), status="active", since="2026-02-02", sealed=None),
    ]
    jobs = [routed.job for raw in raws if (routed := registry.provinces.understand(raw))]
    outcomes = await registry.room.perform(0, jobs)
    assert [isinstance(outcome, Broken) for outcome in outcomes] == [False, False, True, False]
    versions = [event["version"] for event in await registry.told(events.PersonChanged.TYPE)]
    assert versions == [1, 2, 3]
