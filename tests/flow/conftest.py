"""One town for all stories: every service, and two that read Kafka for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.databases import Databases
from tests.support.town import Site, Town, site_of, town_at

TWO_CONSUMERS = {
    "gateway": ("all",),
    "relations": ("all", "consume"),
    "wallet": ("all", "consume"),
    "settlement": ("all", "consume"),
    "sandbox": ("all",),
}


@pytest.fixture(scope="package")
def site(
    databases: Databases, kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("town")
    with site_of(TWO_CONSUMERS, databases=databases, kafka=kafka_bootstrap, folder=folder) as site:
        yield site


@pytest_asyncio.fixture
async def town(site: Site) -> AsyncIterator[Town]:
    async with town_at(site) as town:
        yield town
