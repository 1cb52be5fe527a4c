"""Servers that tests may kill, and a town on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.faults.conftest import at_last_settled
from tests.support.fault_evidence import Evidence
from tests.support.town import Layout, Site, Town, site_of, town_at
from tests.support.town_servers import Servers, made_in, running

BRITTLE: Layout = {
    "gateway": ("all",),
    "relations": ("all",),
    "wallet": ("api", "consume", "relay"),
    "settlement": ("all",),
    "sandbox": ("all",),
}


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A PostgreSQL and a Kafka that tests may kill, as long as they start them again."""
    with running(made_in(tmp_path_factory.mktemp("servers"))) as servers:
        yield servers


@pytest.fixture(scope="package")
def brittle_site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(
        BRITTLE,
        databases=servers.databases,
        kafka=servers.broker.bootstrap,
        folder=tmp_path_factory.mktemp("brittle"),
    ) as site:
        yield site


@pytest_asyncio.fixture
async def brittle(brittle_site: Site, fault_evidence: Evidence) -> AsyncIterator[Town]:
    """A town on those servers."""
    async with town_at(brittle_site, patient=True, evidence=fault_evidence) as town:
        yield town
        await at_last_settled(brittle_site)
