"""F03: the only broker is killed and comes back after five seconds, three times over.

No write needs Kafka: facts wait in the outbox. When the broker is back, all of them are published
and consumed.
"""

from __future__ import annotations

import signal
import time

import pytest

from proof.databases import count_unsettled
from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town
from tests.support.town_bus import bus_of
from tests.support.town_families import pair_of
from tests.support.town_load import load_on
from tests.support.town_processes import crowding
from tests.support.town_servers import Servers
from tests.support.town_until import until

TIMES = 3
AWAY_SECONDS = 5.0
CAUGHT_UP_SECONDS = 60.0
CALLERS = 16
"""Enough that something always happens, and few enough that nobody is refused for being many."""


async def waiting(site: Site) -> int:
    """Facts that wait in the wallet's outbox."""
    [row] = await site.rows("wallet", "SELECT count(*) AS n FROM unpublished")
    return int(row["n"])


@pytest.mark.long
@pytest.mark.fault("F03")
@pytest.mark.timeout(900)
async def test_no_write_fails_while_the_broker_is_away(
    brittle: Town, brittle_site: Site, servers: Servers, fault_evidence: Evidence
) -> None:
    town, site = brittle, brittle_site
    killed: list[int] = []
    waited: list[int] = []
    meanwhile = 0
    pairs = [await pair_of(town) for _ in range(TIMES)]
    async with load_on(town, callers=CALLERS) as load:
        for sharer, beneficiary in pairs:
            killed.append(await servers.kafka.end(signal.SIGKILL))
            since, answered = time.monotonic(), load.ended
            (await sharer.propose("sharer", beneficiary)).of(201)
            while time.monotonic() < since + AWAY_SECONDS:
                await load.flows(10)
            meanwhile += load.ended - answered
            waited.append(await waiting(site))
            await servers.kafka.again()
            await load.flows()
    since = time.monotonic()
    async with bus_of(site.broker) as bus:

        async def published() -> bool:
            return not await count_unsettled(site.databases)

        within = CAUGHT_UP_SECONDS * crowding()
        await until(published, "all is published and answered", within)
        await bus.caught_up(within)
    assert set(load.again) <= {"429"}, load.again
    fault_evidence.tell(f"The broker is killed {TIMES} times, each time away for 5 s, under load.")
    fault_evidence.saw("brokers killed", killed)
    fault_evidence.saw("facts in the wallet's outbox when it came back", waited)
    fault_evidence.saw("payments answered without a broker", meanwhile)
    fault_evidence.holds(f"no write failed: {load.told()}")
    fault_evidence.holds(f"lag 0 after {time.monotonic() - since:.1f} s")
