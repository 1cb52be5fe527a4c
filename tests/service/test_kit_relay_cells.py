"""Each cell has a relay of its own: one that is stuck keeps no other from publishing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import pytest

from kit.kafka import Broker
from kit.migrate import migrate
from kit.postgres import connect, schema_of
from kit.relay import Relay
from tests.conftest import MakeDatabase
from tests.support.kit import (
    MIGRATIONS,
    broker_with,
    header,
    published,
    running,
    until,
    write_facts,
)

Connection: TypeAlias = "asyncpg.Connection[Any]"

CELLS = 2


@pytest.fixture
async def dsn(make_database: MakeDatabase) -> str:
    made = make_database("relay_cells")
    await migrate(made, MIGRATIONS, cells=CELLS)
    return made


@pytest.fixture
async def cells(dsn: str) -> AsyncIterator[list[Connection]]:
    found = [
        await connect(dsn, schema=schema_of(cell), application_name="test") for cell in range(CELLS)
    ]
    yield found
    for connection in found:
        await connection.close()


@pytest.fixture
async def broker(kafka_bootstrap: str, topic_prefix: str) -> Broker:
    return await broker_with(kafka_bootstrap, topic_prefix, "facts")


def relay_of(dsn: str, cell: int, broker: Broker) -> Relay:
    return Relay(dsn=dsn, cell=cell, source=f"/tally/cell-{cell}", broker=broker)


async def unpublished(cell: Connection) -> int:
    count = await cell.fetchval("SELECT count(*) FROM unpublished")
    assert isinstance(count, int)
    return count


async def drained(cell: Connection) -> None:
    async def empty() -> bool:
        return await unpublished(cell) == 0

    await until(empty)


async def waits_for_a_lock(watcher: Connection) -> None:
    async def waits() -> bool:
        return bool(
            await watcher.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'relay:cell_0' AND wait_event_type = 'Lock'"
            )
        )

    await until(waits)


async def test_a_relay_that_is_blocked_does_not_stop_the_other_cells(
    dsn: str, cells: list[Connection], broker: Broker
) -> None:
    blocked, free = cells
    async with running(relay_of(dsn, 0, broker)), running(relay_of(dsn, 1, broker)):
        for cell in cells:
            await write_facts(cell, "facts", ["a"])
            await drained(cell)
        await write_facts(blocked, "facts", ["a"] * 3)
        locker = await asyncpg.connect(dsn)
        try:
            await locker.execute("BEGIN; LOCK TABLE cell_0.outbox IN ACCESS EXCLUSIVE MODE")
            await waits_for_a_lock(free)
            await write_facts(free, "facts", ["a"] * 20)
            await drained(free)
            await waits_for_a_lock(free)
        finally:
            await locker.close()
        await drained(blocked)
    came: dict[str, list[int]] = {}
    for record in await published(broker, "facts"):
        sequence = int(header(record, "ce_sequence") or 0)
        seen = came.setdefault(header(record, "ce_source") or "", [])
        if sequence not in seen:
            seen.append(sequence)
    assert came == {"/tally/cell-0": [1, 2, 3, 4], "/tally/cell-1": list(range(1, 22))}


async def test_a_cell_that_another_process_relays_keeps_nobody_from_the_next(
    dsn: str, cells: list[Connection], broker: Broker
) -> None:
    # Somebody holds the session lock of cell 0 and does nothing with it.
    held = "SELECT pg_try_advisory_lock(hashtextextended('relay:cell_0', 0))"
    assert await cells[0].fetchval(held)
    async with running(relay_of(dsn, 0, broker)), running(relay_of(dsn, 1, broker)):
        for cell in cells:
            await write_facts(cell, "facts", ["a"] * 5)
        await drained(cells[1])
        assert await unpublished(cells[0]) == 5
        assert await cells[0].fetchval(held.replace("try_advisory_lock", "advisory_unlock"))
        await drained(cells[0])
