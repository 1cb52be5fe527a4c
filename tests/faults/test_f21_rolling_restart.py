"""F21: SIGTERM while callers pay. Whoever is asked to leave answers what it has begun, and leaves.

There is one process of each service here, so that nothing takes over while it is away: behind a
client that asks again nobody notices but by the wait.
"""

from __future__ import annotations

import pytest

from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town
from tests.support.town_load import load_on

DRAINED = '"event":"drained"'


def drained(site: Site, service: str) -> int:
    """How often a process of this service has said that it left in peace."""
    log = site.programs[service].log
    return sum(DRAINED in line for line in log.read_text(errors="replace").splitlines())


async def rolled(site: Site, *services: str) -> dict[str, int]:
    """Each in turn is asked to leave and started again; the ids of those that left."""
    left: dict[str, int] = {}
    for service in services:
        kept, before = site.watchman[service], drained(site, service)
        assert kept.child is not None
        left[service] = kept.child.pid
        await site.watchman.stop(service)  # with exit code 0, within its time
        assert drained(site, service) == before + 1
        site.begin_all({service: ("all",)})
        await site.watchman.first_ready(service)
    return left


@pytest.mark.fault("F21")
async def test_a_gateway_and_a_wallet_leave_while_callers_pay(
    town: Town, site: Site, fault_evidence: Evidence
) -> None:
    async with load_on(town, callers=8) as load:
        left = await rolled(site, "gateway", "wallet")
        await load.flows()
    fault_evidence.tell("The gateway and the wallet get SIGTERM in turn while 8 callers pay.")
    fault_evidence.saw("left with exit code 0 and said that they had drained", left)
    fault_evidence.saw("calls that had to be asked again", load.again.total())
    fault_evidence.holds(load.told())


@pytest.mark.long
@pytest.mark.fault("F21")
@pytest.mark.timeout(900)
async def test_everything_is_restarted_in_turn_at_full_load(
    town: Town, site: Site, fault_evidence: Evidence
) -> None:
    order = ("settlement", "relations", "wallet", "gateway", "sandbox")
    lefts: list[str] = []
    async with load_on(town) as load:
        for _ in range(2):
            left = await rolled(site, *order)
            lefts += [f"{name} {pid}" for name, pid in left.items()]
            await load.flows()
    fault_evidence.tell("Every process gets SIGTERM in turn, twice, at full load.")
    fault_evidence.saw("left with exit code 0 and said that they had drained", lefts)
    fault_evidence.saw("calls that had to be asked again", load.again.total())
    fault_evidence.holds(load.told())
