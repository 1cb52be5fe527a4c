"""One town for what goes wrong: all in one process a service, patient callers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.databases import Databases
from tests.support.town import ALL_IN_ONE, Site, Town, site_of, town_at
from tests.support.town_bus import Bus, bus_of
from tests.support.town_refusals import Place, place_of


@pytest.fixture(scope="package")
def site(
    databases: Databases, kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("town")
    with site_of(ALL_IN_ONE, databases=databases, kafka=kafka_bootstrap, folder=folder) as site:
        yield site


@pytest_asyncio.fixture
async def town(site: Site) -> AsyncIterator[Town]:
    async with town_at(site, patient=True) as town:
        yield town


@pytest_asyncio.fixture
async def bus(site: Site) -> AsyncIterator[Bus]:
    async with bus_of(site.broker) as bus:
        yield bus


@pytest_asyncio.fixture
async def place(town: Town) -> Place:
    return await place_of(town)
