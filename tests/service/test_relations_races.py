"""Races between processes of relations, each also seen to go wrong without the lock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from contracts import events
from kit.perform import Door
from kit.work import Broken, Outcome
from relations.store import opening
from relations.store.audits import AUDITS
from tests.conftest import MigratedDatabase
from tests.support.doors import NoLock
from tests.support.relations import (
    ALAR,
    BEIJING,
    SHENZHEN,
    Given,
    Registry,
    Somebody,
    confirmation,
    proposal,
    registry_on,
    somebody,
    told,
)

PROCESSES = 6


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("relations")


@asynccontextmanager
async def processes(
    dsn: str, count: int = PROCESSES, door: type[Door] = Door
) -> AsyncIterator[list[Registry]]:
    """Several processes of relations, each with its connection open."""
    async with AsyncExitStack() as stack:
        registries = [
            await stack.enter_async_context(registry_on(dsn, size=1, door=door))
            for _ in range(count)
        ]
        yield registries


async def race(registries: Sequence[Registry], calls: Sequence[Mapping[str, Any]]) -> list[Given]:
    """Let every call go at the same moment, each in a transaction of its own process."""
    barrier = asyncio.Barrier(len(calls))

    async def runner(registry: Registry, call: Mapping[str, Any]) -> Given:
        await barrier.wait()
        [given] = await registry.call(call)
        return given

    return await asyncio.gather(*map(runner, registries, calls))


def all_read_before_one_writes(monkeypatch: pytest.MonkeyPatch, statement: str, count: int) -> None:
    """Hold every transaction after a read until all have read: what a lock makes impossible."""
    barrier = asyncio.Barrier(count)
    original: Callable[..., Awaitable[Any]] = getattr(opening, statement)

    async def reading(*arguments: Any) -> Any:
        found = await original(*arguments)
        async with asyncio.timeout(2):
            await barrier.wait()
        return found

    monkeypatch.setattr(opening, statement, reading)


async def two_people(registry: Registry) -> tuple[Somebody, Somebody]:
    return (
        await registry.known(somebody(SHENZHEN, "310")),
        await registry.known(somebody(ALAR, "390")),
    )


@pytest.mark.rule("R4")
async def test_of_many_proposals_at_once_one_is_made(dsn: str) -> None:
    async with processes(dsn) as registries:
        child, parent = await two_people(registries[0])
        calls = [proposal(child, parent, f"k{n}") for n in range(PROCESSES)]
        given = await race(registries, calls)
        codes = Counter(answer.code for answer in given)
        assert codes == {"201": 1, "relation-exists": PROCESSES - 1}
        assert len(await registries[0].rows("SELECT FROM relation")) == 1
        await registries[0].audited()


@pytest.mark.rule("R4")
async def test_both_may_propose_at_once_and_one_is_made(dsn: str) -> None:
    async with processes(dsn, 2) as registries:
        child, parent = await two_people(registries[0])
        calls = [proposal(child, parent, "k"), proposal(parent, child, "k", role="beneficiary")]
        given = await race(registries, calls)
        assert sorted(answer.code for answer in given) == ["201", "relation-exists"]
        await registries[0].audited()


async def test_without_lock_and_constraint_that_race_makes_two(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with processes(dsn, 2, NoLock) as registries, registry_on(dsn) as quiet:
        child, parent = await two_people(quiet)
        await quiet.pool.execute("DROP INDEX relation_is_open_once")
        all_read_before_one_writes(monkeypatch, "open_relations_of_sharers", 2)
        given = await race(registries, [proposal(child, parent) for _ in registries])
        assert [answer.code for answer in given] == ["201", "201"]
        assert await quiet.pool.fetch(AUDITS["pair_has_one_open_relation"]) != []


async def test_without_lock_the_constraint_still_keeps_it_to_one(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with processes(dsn, 2, NoLock) as registries, registry_on(dsn) as quiet:
        child, parent = await two_people(quiet)
        all_read_before_one_writes(monkeypatch, "open_relations_of_sharers", 2)
        given = await race(registries, [proposal(child, parent) for _ in registries])
        assert sorted(answer.code for answer in given) == ["201", "internal"]
        await quiet.audited()


async def test_one_key_fifty_times_is_one_proposal(dsn: str) -> None:
    async with processes(dsn) as registries:
        child, parent = await two_people(registries[0])
        given = await asyncio.gather(
            *(registries[n % PROCESSES].propose(child, parent, "same") for n in range(50))
        )
        assert {answer.status for answer in given} == {201}
        assert len({answer.body for answer in given}) == 1
        assert Counter(answer.replayed for answer in given) == {False: 1, True: 49}
        assert len(await registries[0].rows("SELECT FROM relation")) == 1
        await registries[0].audited()


async def test_consent_given_many_times_at_once_counts_once(dsn: str) -> None:
    async with processes(dsn) as registries:
        child, parent = await two_people(registries[0])
        relation_id = (await registries[0].propose(child, parent)).json["relation_id"]
        calls = [confirmation(parent, relation_id, f"k{n}") for n in range(PROCESSES)]
        codes = Counter(answer.code for answer in await race(registries, calls))
        assert codes == {"202": 1, "wrong-state": PROCESSES - 1}
        assert len(await registries[0].told(events.RelationActivated.TYPE)) == 1
        await registries[0].audited()


async def test_without_lock_consent_counts_twice_but_for_the_counted_rows(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with processes(dsn, 2, NoLock) as registries, registry_on(dsn) as quiet:
        child, parent = await two_people(quiet)
        relation_id = (await quiet.propose(child, parent)).json["relation_id"]
        all_read_before_one_writes(monkeypatch, "relations_by_id", 2)
        given = await race(registries, [confirmation(parent, relation_id) for _ in registries])
        assert sorted(answer.code for answer in given) == ["202", "internal"]
        await quiet.audited()


async def hear_at_once(registries: Sequence[Registry], people: Sequence[Somebody]) -> list[Outcome]:
    barrier = asyncio.Barrier(len(people))

    async def hear(registry: Registry, person: Somebody) -> Outcome:
        routed = registry.provinces.understand(told(person))
        await barrier.wait()
        return await registry.perform(routed)

    return await asyncio.gather(*map(hear, registries, people))


def one_certificate_in_two_provinces() -> list[Somebody]:
    here = somebody(SHENZHEN, "310")
    return [here, somebody(BEIJING, "390", cert_no=here.cert_no, name=here.name)]


async def test_two_provinces_tell_of_one_new_person_at_once(dsn: str) -> None:
    async with processes(dsn, 2) as registries:
        for _ in range(5):
            people = one_certificate_in_two_provinces()
            outcomes = await hear_at_once(registries, people)
            assert not any(isinstance(outcome, Broken) for outcome in outcomes)
            found = [(await registries[0].find(person.psn_no)).json() for person in people]
            assert found[0]["person_id"] == found[1]["person_id"]
            assert found[0]["version"] == 2
        await registries[0].audited()


async def test_without_lock_one_of_two_provinces_is_not_heard(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with processes(dsn, 2, NoLock) as registries, registry_on(dsn) as quiet:
        all_read_before_one_writes(monkeypatch, "owners_of_numbers", 2)
        outcomes = await hear_at_once(registries, one_certificate_in_two_provinces())
        assert Counter(isinstance(outcome, Broken) for outcome in outcomes) == {True: 1, False: 1}
        await quiet.audited()


async def test_an_enrolment_that_ends_and_a_consent_never_cross(dsn: str) -> None:
    """Whoever comes first: consent that was given counts, consent after the end is refused."""
    async with processes(dsn, 2) as registries:
        for _ in range(5):
            child, parent = await two_people(registries[0])
            relation_id = (await registries[0].propose(child, parent)).json["relation_id"]
            end = registries[1].provinces.understand(
                told(child, status="ended", since="2026-02-01", sealed=None)
            )
            given, _ = await asyncio.gather(
                registries[0].confirm(parent, relation_id), registries[1].perform(end)
            )
            [row] = await registries[0].rows(
                """
                SELECT confirmed.happened_at AS consented, ended.recorded_at AS ended
                FROM enrolment_event AS ended
                LEFT JOIN relation_event AS confirmed
                    ON confirmed.relation_id = $1 AND confirmed.sequence = 2
                WHERE ended.person_id = $2 AND ended.status = 'ended'
                """,
                UUID(relation_id),
                child.id,
            )
            assert given.code in ("202", "not-insured")
            assert (row["consented"] is None) is (given.code == "not-insured")
            assert row["consented"] is None or row["consented"] < row["ended"]
        await registries[0].audited()
