"""One town for what goes wrong: all in one process a service, patient callers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from proof.databases import count_unsettled
from tests.support.databases import Databases
from tests.support.fault_evidence import Evidence
from tests.support.town import ALL_IN_ONE, Site, Town, site_of, town_at
from tests.support.town_bus import Bus, bus_of
from tests.support.town_refusals import Place, place_of
from tests.support.town_until import until

DRAINED_SECONDS = 300.0


@pytest.fixture(scope="package")
def site(
    databases: Databases, kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("town")
    with site_of(ALL_IN_ONE, databases=databases, kafka=kafka_bootstrap, folder=folder) as site:
        yield site


async def at_last_settled(site: Site) -> None:
    """What a load has left under way ends before the proofs, which wait for less, look at it."""

    async def settled() -> bool:
        return not await count_unsettled(site.databases)

    await until(settled, "all that was paid is settled with the provinces", DRAINED_SECONDS)


@pytest_asyncio.fixture
async def town(site: Site, fault_evidence: Evidence) -> AsyncIterator[Town]:
    async with town_at(site, patient=True, evidence=fault_evidence) as town:
        yield town
        await at_last_settled(site)


@pytest_asyncio.fixture
async def bus(site: Site) -> AsyncIterator[Bus]:
    async with bus_of(site.broker) as bus:
        yield bus


@pytest_asyncio.fixture
async def place(town: Town) -> Place:
    return await place_of(town)
