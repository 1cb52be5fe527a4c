"""F06: PostgreSQL ends one connection in the middle of a transaction.

What it had done is undone, the wallet does it again, once and at once; should that end, too, the
caller is told that nobody knows, and settles it under the same key.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town
from tests.support.town_families import family_of
from tests.support.town_load import load_on
from tests.support.town_people import Counter, Said, new_key
from tests.support.town_until import until
from tests.support.town_volley import volley

pytestmark = pytest.mark.fault("F06")

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

WAITS_IN_A_TRANSACTION = """
SELECT pid FROM pg_stat_activity AS it
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> ALL($1::int[])
AND EXISTS (
    SELECT FROM pg_locks
    WHERE pid = it.pid AND relation = 'cell_0.anchor'::regclass AND mode = 'RowShareLock'
)
"""
"""A door that has locked its anchors, and waits for what we hold."""

ANY_TRANSACTION = """
SELECT pg_terminate_backend(pid), pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'wallet' AND xact_start IS NOT NULL
AND EXISTS (
    SELECT FROM pg_locks
    WHERE pid = pg_stat_activity.pid AND relation = 'cell_0.anchor'::regclass
    AND mode = 'RowShareLock'
)
LIMIT 1
"""
MANY = 50


@pytest_asyncio.fixture
async def terminator(site: Site) -> AsyncIterator[Connection]:
    """A connection to the wallet's database that ends others."""
    connection = await asyncpg.connect(site.databases["wallet"])
    yield connection
    await connection.close()


async def retries(town: Town, site: Site) -> float:
    """How many batches the wallet has performed a second time."""
    port = site.watchman["wallet"].program.env["PORT"]
    text = (await town.messenger.http.get(f"http://127.0.0.1:{port}/metrics")).text
    found = [line for line in text.splitlines() if line.startswith("door_retries_total")]
    return sum(float(line.split()[-1]) for line in found)


async def paid_while_ending(
    counter: Counter, terminator: Connection, body: bytes, key: str, times: int
) -> tuple[Said, list[int]]:
    """One answer to a payment whose transaction is ended so many times, and the backends."""
    ended: list[int] = []

    async def waits() -> int | None:
        pid: int | None = await terminator.fetchval(WAITS_IN_A_TRANSACTION, ended)
        return pid

    transaction = terminator.transaction()
    await transaction.start()
    try:
        await terminator.execute("LOCK TABLE cell_0.payment IN ACCESS EXCLUSIVE MODE")
        paying = asyncio.create_task(volley([counter.letter("POST", "/v1/payments", body, key)]))
        for _ in range(times):
            pid = await until(waits, "the payment is in the middle of its transaction")
            assert await terminator.fetchval("SELECT pg_terminate_backend($1)", pid)
            ended.append(pid)
    finally:
        await transaction.rollback()
    [said] = await paying
    return said, ended


async def test_a_transaction_that_was_ended_is_performed_again_once(
    town: Town, site: Site, terminator: Connection, fault_evidence: Evidence
) -> None:
    family, counter = await family_of(town), town.counter()
    body = json.dumps(counter.payment(family.token, 100)).encode()
    before = await retries(town, site)

    key = new_key()
    said, once = await paid_while_ending(counter, terminator, body, key, 1)
    assert (said.status, said.replayed) == (201, False), said.body
    town.messenger.remember(counter.letter("POST", "/v1/payments", body, key), said, counter.code)
    assert await retries(town, site) == before + 1

    key = new_key()
    said, twice = await paid_while_ending(counter, terminator, body, key, 2)
    assert (said.status, said.code) == (503, "unavailable")
    assert int(said.headers["retry-after"]) >= 1
    settled = await counter.send("POST", "/v1/payments", body, key, known_as=counter.code)
    assert (settled.status, settled.replayed) == (201, False)
    assert (await family.books())["spent"] == 200

    fault_evidence.tell("A payment's backend is terminated once, and twice, after its locks.")
    fault_evidence.saw("backends terminated in a transaction", [*once, *twice])
    fault_evidence.saw("batches performed again", await retries(town, site) - before)
    fault_evidence.holds("ended once: 201 from the same call; ended twice: 503, then 201")


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_transactions_are_ended_under_full_load(
    town: Town, site: Site, terminator: Connection, fault_evidence: Evidence
) -> None:
    ended: list[int] = []

    async def another() -> bool:
        found = await terminator.fetchrow(ANY_TRANSACTION)
        if found is None or not found[0]:
            return False
        ended.append(found["pid"])
        return True

    before = await retries(town, site)
    async with load_on(town) as load:
        for _ in range(MANY):
            await until(another, "a transaction is terminated")
        await load.flows()
    repeated = await retries(town, site) - before
    assert repeated >= MANY / 2, "most were still in the middle when they were ended"
    assert set(load.again) <= {"503", "429"}, load.again
    fault_evidence.tell(f"{MANY} backends are terminated in a transaction, at full load.")
    fault_evidence.saw("backends terminated", len(ended))
    fault_evidence.saw("batches performed again", repeated)
    fault_evidence.holds(load.told())
