"""F05: PostgreSQL ends at once, as `pg_ctl stop -m immediate` has it, and by kill -9, under load.

Whoever asks meanwhile is told to come again. When it is back, it recovers from its log, and every
process finds it again by itself. A kill leaves the page cache alone: nothing is said about fsync.
"""

from __future__ import annotations

import signal
import time

import pytest

from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town
from tests.support.town_load import Load, load_on
from tests.support.town_servers import Server, Servers
from tests.support.town_until import until_so

HEALED_SECONDS = 15.0
ROUNDS = (signal.SIGQUIT, signal.SIGKILL, signal.SIGQUIT, signal.SIGKILL)
"""SIGQUIT is what `stop -m immediate` sends."""

RECOVERED = "was not properly shut down; automatic recovery in progress"


def running(site: Site) -> dict[str, int]:
    """The ids of the town's processes."""
    return {
        name: child.pid
        for name in site.watchman.names
        if (child := site.watchman[name].child) is not None
    }


async def healed_within(load: Load, server: Server) -> float:
    """Start it again once callers are told to wait; the first payment came so much later."""
    told = load.again["503"]
    await until_so(lambda: load.again["503"] >= told + 10, "callers are told to wait")
    await server.again()
    since = time.monotonic()
    await load.flows(1, HEALED_SECONDS)
    healed = round(time.monotonic() - since, 1)
    await load.flows()
    return healed


@pytest.mark.long
@pytest.mark.fault("F05")
@pytest.mark.timeout(900)
async def test_every_pool_finds_the_database_again(
    brittle: Town, brittle_site: Site, servers: Servers, fault_evidence: Evidence
) -> None:
    site, server = brittle_site, servers.postgres
    recovered = len(server.said(RECOVERED))
    before, killed, healed = running(site), dict[str, int](), list[float]()
    async with load_on(brittle) as load:
        for n, how in enumerate(ROUNDS, start=1):
            killed[f"{how.name} {n}"] = await server.end(how)
            healed.append(await healed_within(load, server))
    assert running(site) == before, "nobody had to be restarted"
    recoveries = server.said(RECOVERED)[recovered:]
    assert len(recoveries) >= len(ROUNDS)
    fault_evidence.tell("PostgreSQL is stopped at once and killed, twice each, at full load.")
    fault_evidence.saw("postmasters ended", killed)
    fault_evidence.saw("its log", recoveries[-1])
    fault_evidence.saw("calls answered 503 with Retry-After", load.again["503"])
    fault_evidence.holds(f"first payment {healed} s after it was ready, by the same processes")
    fault_evidence.holds(load.told())
