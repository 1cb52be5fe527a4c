"""What goes wrong while 64 callers pay without a pause: F01, F07, F18, F19, F22 at full load.

Two cells, small pools, every part of the wallet a process of its own. The callers are good
clients: they ask again under the same key, and a load ends when each key has its answer. Then
every invariant has to hold. The longer forms of the same faults are run by `make test-long`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.ports import LOOPBACK, free_port
from kit.ids import cell_of_id, new_id
from tests.support.databases import Databases
from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town, site_of, town_at
from tests.support.town_families import Family, family_of
from tests.support.town_load import CALLERS, at, families_of, load_on
from tests.support.town_people import Letter, Said, new_key
from tests.support.town_proxy import Loses, Proxy, proxy_before
from tests.support.town_races import (
    QUOTA_FEN,
    at_once,
    batches,
    one_key_fifty_times,
    two_hundred_spend,
)
from tests.support.town_until import until, until_so
from tests.support.town_volley import volley

LAYOUT = {
    "gateway": ("all",),
    "relations": ("all",),
    "wallet": ("api", "consume", "relay"),
    "settlement": ("all",),
    "sandbox": ("all",),
}
CELLS = 2
POOL_SIZE = 2
AT_ONCE_SECONDS = 1.0
"""F18: how soon somebody without a connection is told so, on a machine that is not late itself."""

pytestmark = pytest.mark.timeout(300)  # on a machine that is busy with other things
REPEATED = [1, pytest.param(10, marks=[pytest.mark.long, pytest.mark.timeout(600)])]


@pytest.fixture(scope="module")
def site(
    databases: Databases, kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("town")
    with site_of(
        LAYOUT,
        databases=databases,
        kafka=kafka_bootstrap,
        folder=folder,
        cells=CELLS,
        POOL_SIZE=str(POOL_SIZE),
    ) as site:
        yield site


@pytest_asyncio.fixture
async def town(site: Site, fault_evidence: Evidence) -> AsyncIterator[Town]:
    async with town_at(site, patient=True, evidence=fault_evidence) as town:
        yield town


ALL_AT_ONCE = {
    "wallet-api": "door.after-commit",
    "wallet-relay": "relay.after-publish",
    "wallet-consume": "consume.after-commit",
    "settlement": "consume.before-perform",
    "gateway": "gateway.before-reply",
}


@pytest.mark.fault("F01")
@pytest.mark.parametrize("times", REPEATED)
async def test_everybody_dies_under_full_load(
    town: Town, site: Site, fault_evidence: Evidence, times: int
) -> None:
    """F01, all at the same time; each point by itself is in `test_f01_kill_at_each_point.py`."""
    async with load_on(town) as load:
        for _ in range(times):
            for name, point in ALL_AT_ONCE.items():
                await site.watchman.arm(name, point)
            async with asyncio.TaskGroup() as group:
                for name, point in ALL_AT_ONCE.items():
                    group.create_task(site.watchman.died_at(name, point, 30))
            for name in ALL_AT_ONCE:
                await site.watchman.ready_again(name)
            await load.flows()
    fault_evidence.tell(f"Five processes die at their points at once, {times} times, at full load.")
    fault_evidence.saw("died at their points, last", site.watchman.lost(*ALL_AT_ONCE))
    fault_evidence.holds(load.told())
    assert load.again.total() > 0, "somebody was waiting for an answer that never came"


@pytest_asyncio.fixture
async def side_door(site: Site) -> AsyncIterator[tuple[Proxy, str]]:
    """A second gateway before a second wallet, whose database is behind a proxy; its address."""
    async with proxy_before(site.databases["wallet"]) as proxy:
        ports = {"wallet": free_port(), "gateway": free_port()}
        urls = {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}
        names = [
            site.begin("wallet", "api", "wallet-beside", ports["wallet"], DATABASE_URL=proxy.dsn),
            site.begin(
                "gateway",
                "api",
                "gateway-beside",
                ports["gateway"],
                WALLET_URL=urls["wallet"],
                PUBLIC_URL=urls["gateway"],
            ),
        ]
        await site.watchman.first_ready(*names)
        yield proxy, urls["gateway"]
        await site.watchman.stop(*reversed(names))


@pytest.mark.fault("F07")
@pytest.mark.parametrize("times", REPEATED)
async def test_a_commit_whose_answer_is_lost_is_settled_under_the_same_key(
    town: Town,
    site: Site,
    side_door: tuple[Proxy, str],
    fault_evidence: Evidence,
    times: int,
) -> None:
    """F07, alone and under full load; two wallets answer for the same cells."""
    proxy, gateway = side_door
    family = await family_of(town, available_fen=10_000)
    beside = at(town.counter(), gateway)

    # Alone: performed once, then again under the same key, which finds what it had done.
    proxy.arm(Loses.ANSWER)
    said = await beside.pay(family.token, 100)
    assert (said.status, said.replayed) == (201, True)
    assert proxy.lost[Loses.ANSWER] == 1
    proxy.arm(Loses.COMMIT)
    said = await beside.pay(family.token, 100)
    assert (said.status, said.replayed) == (201, False)
    assert proxy.lost[Loses.COMMIT] == 1
    # Lost twice: the caller is told that nobody knows, and settles it under the same key.
    proxy.arm(Loses.ANSWER, 2)
    again = town.messenger.again
    said = await beside.pay(family.token, 100)
    assert (said.status, said.replayed) == (201, True)
    assert town.messenger.again == again + 1
    assert (await family.books())["spent"] == 300

    async with load_on(town, gateways=[town.world.gateway, gateway]) as load:
        for _ in range(times):
            for lost in (Loses.ANSWER, Loses.COMMIT):
                proxy.arm(lost, 2)
                await load.flows(100)
        await until_so(lambda: not proxy.armed, "all that was to be lost is lost")
    fault_evidence.tell("COMMITs and their answers are lost, alone and at full load.")
    fault_evidence.saw("lost", {str(what): count for what, count in proxy.lost.items()})
    fault_evidence.holds(load.told())
    assert proxy.lost == {Loses.ANSWER: 3 + 2 * times, Loses.COMMIT: 1 + 2 * times}
    assert await batches(town, site, "wallet-beside") != await batches(town, site, "wallet-api")


MOST_BLOCKINGS = 5
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'wallet' AND wait_event_type = 'Lock'
"""


@pytest.mark.fault("F18")
@pytest.mark.parametrize("times", REPEATED)
async def test_who_finds_no_connection_is_told_at_once(
    town: Town, site: Site, fault_evidence: Evidence, times: int
) -> None:
    """F18: readers of one cell hold all its connections; the other cell knows nothing of it."""
    families = await families_of(town, 6)
    of_cell = [[each for each in families if cell_of(each) == cell] for cell in range(CELLS)]
    while not all(of_cell):
        [one] = await families_of(town, 1)
        of_cell[cell_of(one)].append(one)
    locker = await asyncpg.connect(site.databases["wallet"])
    tolerated: set[str] = set()
    try:
        async with load_on(town, families=of_cell[1]) as load:
            for _ in range(times):
                longest, allowed = await exhausted(town, site, locker, of_cell[0][0])
                if allowed > AT_ONCE_SECONDS:
                    # The machine is late by itself, and a gateway that is late refuses (F20).
                    tolerated.add("429")
                await load.flows()
    finally:
        await locker.close()
    fault_evidence.tell(f"Readers hold every connection of one cell, {times} times, at full load.")
    fault_evidence.saw("of 64 refused, seconds until the last was told", round(longest, 3))
    fault_evidence.holds(f"the other cell noticed nothing: {load.told()}")
    assert set(load.again) <= tolerated, load.again


def cell_of(family: Family) -> int:
    cell = cell_of_id(UUID(family.quota_id))
    assert cell is not None
    return cell


async def exhausted(
    town: Town, site: Site, locker: asyncpg.Connection[asyncpg.Record], family: Family
) -> tuple[float, float]:
    """Block the connections of cell 0; who comes then is refused at once, and served later.

    After how many seconds the last of them was refused, and how many this machine, as late as it
    was before anything was blocked, was allowed. Readers wait for a lock for a while only:
    where a busy machine took longer to refuse all, the cell is blocked anew.
    """
    counter = town.counter()
    body = json.dumps(counter.payment(family.token, 5)).encode()
    for _ in range(MOST_BLOCKINGS):
        served = await at_once(town, counter, [new_key() for _ in range(CALLERS)], body)
        usual = max(said.after for said in served)
        keys = [new_key() for _ in range(CALLERS)]
        letters = [counter.letter("POST", "/v1/payments", body, key) for key in keys]
        answers = await while_blocked(town, site, locker, letters)
        if answers is None:
            continue
        assert {said.status for said in answers} == {503}
        assert all(said.headers["retry-after"] for said in answers)
        longest, allowed = max(said.after for said in answers), max(AT_ONCE_SECONDS, 3 * usual)
        assert longest <= allowed
        assert {said.status for said in await at_once(town, counter, keys, body)} == {201}
        return longest, allowed
    raise AssertionError(f"some connection came free in each of {MOST_BLOCKINGS} blockings")


async def while_blocked(
    town: Town, site: Site, locker: asyncpg.Connection[asyncpg.Record], letters: Sequence[Letter]
) -> list[Said] | None:
    """What is said to these while readers hold all connections; None if one came free meanwhile."""
    counter = town.counter()
    transaction = locker.transaction()
    await transaction.start()
    try:
        await locker.execute("LOCK TABLE cell_0.payment IN ACCESS EXCLUSIVE MODE")
        readers = [
            asyncio.create_task(counter.send("GET", f"/v1/payments/{new_id(0)}"))
            for _ in range(POOL_SIZE)
        ]

        async def all_wait() -> bool:
            return bool(await locker.fetchval(WAITING) >= POOL_SIZE)

        await until(all_wait, "no connection is left")
        answers = await volley(letters)
        lasted = await all_wait()
        alive = await town.messenger.http.get(f"{site.stack['wallet']}/healthz", timeout=1)
    finally:
        await transaction.rollback()
    assert alive.status_code == 200
    read = {(await reader).status for reader in readers}
    if not lasted:
        return None
    assert read == {404}
    return answers


@pytest.mark.fault("F19")
async def test_two_hundred_spend_one_quota_under_full_load(
    town: Town, site: Site, fault_evidence: Evidence
) -> None:
    family = await family_of(town, available_fen=QUOTA_FEN)
    async with load_on(town) as load:
        before = await batches(town, site, "wallet-api")
        await two_hundred_spend(town, family)
        after = await batches(town, site, "wallet-api")
    jobs, in_batches = after["sum"] - before["sum"], after["count"] - before["count"]
    assert jobs / in_batches > 4, "it was a race"
    fault_evidence.tell("Two hundred spend one quota at once, at full load.")
    fault_evidence.saw("jobs in a transaction of the wallet, on average", jobs / in_batches)
    fault_evidence.holds(load.told())


@pytest.mark.fault("F22")
async def test_one_key_fifty_times_under_full_load(
    town: Town, site: Site, fault_evidence: Evidence
) -> None:
    family = await family_of(town, available_fen=10_000)
    async with load_on(town) as load:
        await one_key_fifty_times(town, family, "gateway", "wallet-api")
        await load.flows()
    fault_evidence.tell("One key fifty times at once, and again after a kill, at full load.")
    fault_evidence.saw("killed in between", site.watchman.lost("gateway", "wallet-api"))
    fault_evidence.holds(load.told())
    assert load.again.total() > 0, "the load was there when they were killed"
