"""Two persons that turn out to be one: a merge links them for ever and rewrites nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from typer.testing import CliRunner

from contracts import events
from kit.answers import Answer
from kit.work import Outcome
from relations.edge import room
from relations.edge.clerk import persons_commands
from relations.store.persons import owners_in_provinces, owners_of_numbers
from relations.store.relations import relatives_of
from tests.conftest import MigratedDatabase
from tests.support.relations import (
    ALAR,
    BEIJING,
    SHENZHEN,
    TOLD_AT,
    Given,
    Registry,
    Somebody,
    reason_of,
    registered,
    registry_on,
    somebody,
)

LATER = TOLD_AT + timedelta(hours=1)


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("relations")


@pytest.fixture
async def registry(dsn: str) -> AsyncIterator[Registry]:
    async with registry_on(dsn) as one:
        yield one
        await one.audited()


@pytest.fixture
async def gone(registry: Registry) -> Somebody:
    """Insured in Beijing, by a passport's number as it were."""
    return await registry.known(somebody(BEIJING, "310"))


@pytest.fixture
async def kept(registry: Registry) -> Somebody:
    """The same human, insured in Shenzhen by another certificate."""
    return await registry.known(somebody(SHENZHEN, "310"))


@pytest.fixture
async def parent(registry: Registry) -> Somebody:
    return await registry.known(somebody(ALAR, "390"))


async def merge(registry: Registry, merged: Somebody, into: Somebody) -> str:
    return said(await registry.room.merge(merged.id, into.id))


def said(outcome: Outcome) -> str:
    assert isinstance(outcome, Answer), outcome
    return str(outcome.status if outcome.status < 400 else orjson.loads(outcome.body)["code"])


async def active(registry: Registry, sharer: Somebody, beneficiary: Somebody) -> str:
    relation_id = str((await registry.propose(sharer, beneficiary)).json["relation_id"])
    assert (await registry.confirm(beneficiary, relation_id)).status == 202
    await registry.activate(relation_id)
    return relation_id


def under(number_of: Somebody, certificate_of: Somebody) -> Somebody:
    """Told under the one's number with the other's certificate."""
    return replace(number_of, cert_no=certificate_of.cert_no, name=certificate_of.name)


async def known_as(registry: Registry, person: Somebody) -> set[str]:
    """Who it is by certificate and name, by certificate alone, by number."""
    found = (
        await registry.identify(person),
        await registry.identify(person, name=None),
        await registry.find(person.psn_no, person.pool_admdvs),
        await registry.find(person.psn_no),
    )
    return {each.json()["person_id"] for each in found}


async def test_whoever_is_known_by_the_ones_papers_is_the_other(
    registry: Registry, gone: Somebody, kept: Somebody
) -> None:
    assert await merge(registry, gone, kept) == "200"
    assert await known_as(registry, gone) == await known_as(registry, kept) == {str(kept.id)}
    assert (await registry.identify(gone, name=kept.name)).status_code == 404
    told = await registry.told(events.PersonChanged.TYPE)
    assert [(each["person_id"], each["version"], each["insured"]) for each in told[2:]] == [
        (str(gone.id), 2, False),
        (str(kept.id), 2, True),
    ]


async def test_what_was_parked_for_its_number_is_performed_afterwards(
    registry: Registry, gone: Somebody, kept: Somebody
) -> None:
    corrected = under(gone, kept)
    assert reason_of(await registry.tell(corrected, LATER)) == "number-of-another"
    await merge(registry, gone, kept)
    for n, person in enumerate((corrected, gone, replace(gone, name="李四"))):
        outcome = await registry.tell(person, LATER + timedelta(n), since=f"2026-02-0{n + 1}")
        assert said(outcome) == "200"
    bare = await registry.tell(gone, LATER, since="2026-02-09", status="ended", sealed=None)
    assert said(bare) == "200"
    [row] = await registry.rows(
        "SELECT person_id, status FROM enrolment WHERE psn_no = $1 AND since = '2026-02-09'",
        gone.psn_no,
    )
    assert row == {"person_id": kept.id, "status": "ended"}
    assert (await registry.identify(kept)).json()["name_masked"].startswith("张")


async def test_the_relations_of_who_is_merged_away_end_and_proposals_lapse(
    registry: Registry, gone: Somebody, kept: Somebody, parent: Somebody
) -> None:
    gives = await active(registry, gone, parent)
    receives = await active(registry, parent := await _employed(registry), gone)
    proposed = str((await registry.propose(kept, gone, kind="sibling")).json["relation_id"])
    stays = await active(registry, kept, parent)
    assert await merge(registry, gone, kept) == "200"
    ended = await registry.told(events.RelationEnded.TYPE)
    assert {(each["relation_id"], each["reason"]) for each in ended} == {
        (gives, "merged"),
        (receives, "merged"),
    }
    for relation_id in (gives, receives):
        await registry.close(relation_id)
        assert (await registry.states(relation_id))[-2:] == ["ending", "ended"]
    assert (await registry.states(proposed))[-1] == "declined"
    assert (await registry.states(stays))[-1] == "active"
    again = await registry.propose(gone, parent)
    assert again.code == "not-found", "nobody acts under that id any more"
    assert (await registry.propose(kept, gone, kind="sibling")).code == "not-found"


async def _employed(registry: Registry) -> Somebody:
    return await registry.known(somebody(ALAR, "310"))


async def test_nothing_of_the_past_is_rewritten(
    registry: Registry, gone: Somebody, kept: Somebody, parent: Somebody
) -> None:
    await registry.end(gone, await active(registry, gone, parent))
    before = await registry.everything()
    await merge(registry, gone, kept)
    after = await registry.everything()
    for table in before.keys() - {"person"}:
        assert [row for row in before[table] if row not in after[table]] == [], table
    old, new = ({row["person_id"]: row for row in each["person"]} for each in (before, after))
    counted = ("version", "changed_at")
    still = {name: value for name, value in old[gone.id].items() if name not in counted}
    assert still.items() <= new[gone.id].items()
    with pytest.raises(asyncpg.RestrictViolationError, match="only grow"):
        await registry.pool.execute("DELETE FROM person_merge")


async def test_the_link_is_followed_to_its_end(
    registry: Registry, gone: Somebody, kept: Somebody
) -> None:
    third = await registry.known(somebody(ALAR, "390"))
    await merge(registry, gone, kept)
    assert await merge(registry, kept, third) == "200"
    for person in (gone, kept, third):
        assert await known_as(registry, person) == {str(third.id)}
    assert said(await registry.tell(gone, LATER, since="2026-02-01", status="ended")) == "200"


async def test_a_merge_is_for_ever_and_the_same_again_changes_nothing(
    registry: Registry, gone: Somebody, kept: Somebody, parent: Somebody
) -> None:
    await merge(registry, gone, kept)
    before = await registry.everything()
    assert await merge(registry, gone, kept) == "200"
    for merged, into, code in (
        (kept, gone, "wrong-state"),
        (gone, parent, "wrong-state"),
        (parent, gone, "wrong-state"),
        (parent, replace(parent, person_id=uuid4()), "not-found"),
        (replace(parent, person_id=uuid4()), parent, "not-found"),
        (parent, parent, "invalid"),
    ):
        assert await merge(registry, merged, into) == code, (merged, into)
    assert await registry.everything() == before


@pytest.mark.rule("R5")
async def test_what_the_kept_one_gives_is_judged_by_both_insurances(
    registry: Registry, kept: Somebody, parent: Somebody
) -> None:
    child = await registry.known(somebody(SHENZHEN, "310"))
    relation_id = await active(registry, child, parent)
    other = await registry.known(somebody(ALAR, "310"))
    await registry.tell(parent, LATER, since="2026-02-01", status="suspended")
    assert (await registry.states(relation_id))[-1] == "suspended"
    await merge(registry, other, parent)
    assert (await registry.states(relation_id))[-1] == "active"
    dead = await registry.known(somebody(BEIJING, "310"))
    await registry.tell(dead, LATER, since="2026-02-01", status="ended", reason="deceased")
    await merge(registry, dead, child)
    [ended] = await registry.told(events.RelationEnded.TYPE)
    assert (ended["relation_id"], ended["reason"]) == (relation_id, "deceased")


@pytest.mark.rule("R26")
async def test_where_the_one_may_be_treated_the_other_may(
    registry: Registry, gone: Somebody, kept: Somebody
) -> None:
    await registry.hear(registered(gone, ALAR, LATER, to="2027-06-30"))
    await registry.hear(registered(kept, ALAR))
    await registry.hear(registered(gone, "440300"))
    await registry.hear(registered(kept, "440300", LATER, to="2027-06-30"))
    await registry.hear(registered(gone, BEIJING))
    await merge(registry, gone, kept)
    told = (await registry.told(events.PersonRegistered.TYPE))[5:]
    assert {each["person_id"] for each in told} == {str(kept.id)}
    assert {(each["mdtrtarea_admvs"], each["valid_to"]) for each in told} == {
        (ALAR, "2027-06-30"),
        (BEIJING, "2026-12-31"),
    }
    ids = await registry.rows("SELECT DISTINCT event_id FROM outbox")
    assert len(ids) == len(await registry.rows("SELECT FROM outbox")), "each is an event of its own"
    await registry.hear(registered(gone, "650500", LATER))
    assert (await registry.told(events.PersonRegistered.TYPE))[-1]["person_id"] == str(kept.id)


async def test_who_was_merged_while_somebody_waited_is_looked_up_again(
    registry: Registry, gone: Somebody, kept: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    await merge(registry, gone, kept)
    looks: list[str] = []

    async def late_number(tx: Any, numbers: Any) -> dict[tuple[str, str], UUID]:
        looks.append("number")
        stale = {(gone.pool_admdvs, gone.psn_no): gone.id}
        return stale if looks.count("number") == 1 else await owners_of_numbers(tx, numbers)

    async def late_province(tx: Any, numbers: Any) -> dict[tuple[str, str], list[UUID]]:
        looks.append("province")
        if looks.count("province") == 1:
            return {("110000", gone.psn_no): [gone.id]}
        return await owners_in_provinces(tx, numbers)

    monkeypatch.setattr(room, "owners_of_numbers", late_number)
    outcome = await registry.tell(gone, LATER, since="2026-02-01", status="ended", sealed=None)
    assert (said(outcome), looks.count("number")) == ("200", 2)
    monkeypatch.setattr(room, "owners_in_provinces", late_province)
    looks.clear()
    assert said(await registry.hear(registered(gone, ALAR, LATER))) == "200"
    assert looks.count("province") == 2
    [told] = await registry.told(events.PersonRegistered.TYPE)
    assert told["person_id"] == str(kept.id)


async def test_who_became_a_relative_meanwhile_is_locked_by_another_look(
    registry: Registry,
    gone: Somebody,
    kept: Somebody,
    parent: Somebody,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relation_id = await active(registry, gone, parent)
    looks: list[Any] = []

    async def overlooks_once(tx: Any, persons: Any, states: Any) -> dict[Any, frozenset[Any]]:
        looks.append(persons)
        return {} if len(looks) == 1 else await relatives_of(tx, persons, states)

    monkeypatch.setattr(room, "relatives_of", overlooks_once)
    assert await merge(registry, gone, kept) == "200"
    assert len(looks) == 2
    assert (await registry.states(relation_id))[-1] == "ending"


async def test_a_proposal_and_a_merge_at_once_leave_nothing_open(
    dsn: str, registry: Registry, parent: Somebody
) -> None:
    async with registry_on(dsn, size=1) as one, registry_on(dsn, size=1) as other:
        proposed_first: set[bool] = set()
        for n in range(200):
            gone = await registry.known(somebody(BEIJING, "310"))
            kept = await registry.known(somebody(SHENZHEN, "310"))
            asked = [one.propose(gone, parent), other.room.merge(gone.id, kept.id)]
            answers = await asyncio.gather(*(asked if n % 2 else reversed(asked)))
            proposed, merged = answers if n % 2 else reversed(answers)
            assert isinstance(proposed, Given)
            assert said(merged) == "200"
            assert proposed.code in ("201", "not-found")
            proposed_first.add(proposed.code == "201")
            if proposed_first == {True, False}:
                break
        assert proposed_first == {True, False}, "each of the two came first once"
        left = await registry.rows("SELECT DISTINCT state FROM relation")
        assert left == [{"state": "declined"}]


def test_a_clerk_finds_and_merges(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def two() -> tuple[Somebody, Somebody]:
        async with registry_on(dsn) as registry:
            gone = await registry.known(somebody(BEIJING, "310"))
            return gone, await registry.known(somebody(SHENZHEN, "310"))

    async def found(person: Somebody) -> set[str]:
        async with registry_on(dsn) as registry:
            await registry.audited()
            return await known_as(registry, person)

    gone, kept = asyncio.run(two())
    monkeypatch.setenv("DATABASE_URL", dsn)
    runner, commands = CliRunner(), persons_commands()
    shown = runner.invoke(commands, ["find", BEIJING, gone.psn_no])
    assert (shown.exit_code, shown.output.strip()) == (0, str(gone.id))
    assert runner.invoke(commands, ["find", BEIJING, "nobody"]).exit_code == 1
    assert runner.invoke(commands, ["merge", str(gone.id), str(gone.id)]).exit_code == 1
    assert runner.invoke(commands, ["merge", str(gone.id), str(kept.id)]).exit_code == 0
    assert asyncio.run(found(gone)) == {str(kept.id)}
