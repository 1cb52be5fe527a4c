"""F01: kill -9 at each named point between database, Kafka and caller, with requests in flight.

All services that have the point are armed and killed by it at the same time, while a family
pays, another is granted its first quota, a third becomes one, somebody new is enrolled, and a
month is cut.
Callers ask again under the same keys; then every invariant has to hold. A kill leaves the page
cache alone: it says nothing about fsync.
"""

from __future__ import annotations

import asyncio
import pkgutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from uuid import uuid4

import pytest
import pytest_asyncio

from kit.faultpoint import NAMES
from kit.records import cloud_event_headers
from tests.support.databases import Databases
from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town, site_of, town_at
from tests.support.town_bus import Bus, bus_of
from tests.support.town_families import SHENZHEN, Family, family_of, pair_of
from tests.support.town_load import load_on
from tests.support.town_months import cut_a_month
from tests.support.town_people import Citizen

LAYOUT = {
    "gateway": ("all",),
    "relations": ("api", "consume", "relay"),
    "wallet": ("api", "consume", "relay"),
    "settlement": ("all",),
    "sandbox": ("all",),
}
"""The outside world is killed in a test of its own, `tests/service/test_sandbox_http.py`."""

READERS = ("relations-consume", "wallet-consume", "settlement")

PASSED_BY = {
    "door": ("gateway", "relations-api", "wallet-api"),
    "relay": ("relations-relay", "wallet-relay"),
    "consume": READERS,
    "dead-letters": READERS,
    "gateway": ("gateway",),
    "cut": ("wallet-api",),
}
"""Who passes the points whose names begin so; a redrive is a command of its own, below."""

AWAITED = ("door", "gateway", "cut")
"""Where somebody waits for an answer while the point is passed."""

SECONDS_TO_REACH = 40.0
SECONDS_TO_SETTLE = 40.0
PAYMENTS = 8


SOURCES = ("kit", "gateway", "relations", "wallet", "settlement", "sandbox")


def points() -> list[str]:
    """Every point that any module declares."""
    for package in SOURCES:
        found = import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    return sorted(NAMES)


def in_processes() -> list[str]:
    return [each for each in points() if each.partition(".")[0] != "redrive"]


@pytest.fixture(scope="module")
def site(
    databases: Databases, kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("town")
    with site_of(LAYOUT, databases=databases, kafka=kafka_bootstrap, folder=folder) as site:
        yield site


@pytest_asyncio.fixture
async def town(site: Site, fault_evidence: Evidence) -> AsyncIterator[Town]:
    async with town_at(site, patient=True, evidence=fault_evidence) as town:
        yield town


@pytest_asyncio.fixture
async def bus(site: Site) -> AsyncIterator[Bus]:
    async with bus_of(site.broker) as bus:
        yield bus


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What is prepared before the fault, so that all of it happens at once during it."""

    rich: Family
    waiting: Family
    proposed: tuple[Citizen, Citizen, str]

    @classmethod
    async def begin(cls, town: Town) -> Day:
        rich, waiting, (sharer, beneficiary) = await asyncio.gather(
            family_of(town), family_of(town, available_fen=1_000), pair_of(town)
        )
        proposed = await sharer.propose("sharer", beneficiary)
        relation_id = str(proposed.of(201)["relation_id"])
        return cls(rich=rich, waiting=waiting, proposed=(sharer, beneficiary, relation_id))

    async def happens(self, town: Town) -> None:
        """Everything at once; returns when all of it has come to its end."""
        sharer, beneficiary, relation_id = self.proposed
        async with asyncio.TaskGroup() as group:
            for _ in range(PAYMENTS):
                group.create_task(self._pays(town))
            group.create_task(town.counter("hospital").token(self.rich.beneficiary))
            group.create_task(town.world.citizen(SHENZHEN, employee=True))
            group.create_task(cut_a_month(town))
            group.create_task(
                self.waiting.sharer.raise_quota(
                    self.waiting.relation_id, 5_000, within=SECONDS_TO_SETTLE
                )
            )
            (await beneficiary.confirm(relation_id)).of(202)
            await sharer.becomes_active(relation_id, within=SECONDS_TO_SETTLE)
            await sharer.raise_quota(relation_id, 2_000, within=SECONDS_TO_SETTLE)
        books = await self.rich.books()
        assert books["spent"] == PAYMENTS * 100

    async def _pays(self, town: Town) -> None:
        (await town.counter().pay(self.rich.token, 100)).of(201)


def test_every_point_has_somebody_who_passes_it() -> None:
    """A new point of another name has to say here by whom it is reached."""
    assert {each.partition(".")[0] for each in points()} == {*PASSED_BY, "redrive"}
    assert set(PASSED_BY["door"]) < {
        service if role == "all" else f"{service}-{role}"
        for service, roles in LAYOUT.items()
        for role in roles
    }


@pytest.mark.fault("F01")
@pytest.mark.parametrize("point", in_processes())
async def test_a_kill_at_any_point_loses_and_doubles_nothing(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence, point: str
) -> None:
    fault_evidence.tell(
        "All who pass the point kill themselves at it while a family lives its day."
    )
    fault_evidence.saw("died at the point", await kill_at(point, town, site, bus))


@pytest.mark.long
@pytest.mark.fault("F01")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("point", in_processes())
async def test_a_kill_at_any_point_loses_and_doubles_nothing_at_full_load(
    town: Town, site: Site, bus: Bus, fault_evidence: Evidence, point: str
) -> None:
    fault_evidence.tell("The same while 64 callers pay without a pause.")
    async with load_on(town) as load:
        fault_evidence.saw("died at the point", await kill_at(point, town, site, bus))
        await load.flows()
    fault_evidence.holds(load.told())
    if point.partition(".")[0] in AWAITED:
        assert load.again.total() > 0, "the load was there when they died"


async def kill_at(point: str, town: Town, site: Site, bus: Bus) -> dict[str, int]:
    """All who pass the point die at it while the day happens, and are ready again.

    Their process ids.
    """
    day = await Day.begin(town)
    victims = PASSED_BY[point.partition(".")[0]]
    for name in victims:
        await site.watchman.arm(name, point)
    async with asyncio.TaskGroup() as group:
        group.create_task(day.happens(town))
        if point in ("consume.after-park", "dead-letters.after-publish"):
            for topic in ("from.440000", "wallet.payment", "relations.person"):
                group.create_task(poison(bus, topic))
        for name in victims:
            group.create_task(site.watchman.died_at(name, point, SECONDS_TO_REACH))
    for name in victims:
        await site.watchman.ready_again(name)
    if point.partition(".")[0] in AWAITED:
        assert town.messenger.again, "somebody was waiting for an answer that never came"
    return site.watchman.lost(*victims)


async def poison(bus: Bus, topic: str) -> tuple[int, int]:
    """A record under a key of its own that nobody can make sense of."""
    source = "/relations" if topic == "relations.person" else "/wallet/cell-0"
    if topic == "from.440000":
        source = "/provinces/440000"
    headers = cloud_event_headers(
        id=str(uuid4()),
        type="never.heard.v1",
        source=source,
        subject=None,
        time=datetime.now(UTC),
        sequence=None,
        traceparent=None,
    )
    return await bus.write(topic, uuid4().hex.encode(), b"{}", headers)
