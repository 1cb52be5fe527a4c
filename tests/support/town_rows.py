"""Every row of a town as one number a table: what was refused, or came twice, changes none."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import asyncpg

from proof.databases import count_unsettled
from tests.support.town import Site
from tests.support.town_bus import Bus
from tests.support.town_until import until

Rows = dict[str, str]
"""`service.table` → number of rows and a sum over their contents."""

OF_THE_ATTEMPT = ("gateway.nonce", "gateway.read_up_to")
"""What an attempt leaves behind, whatever becomes of it; and time itself, as lists tell it."""


async def rows_of(site: Site, but: Collection[str] = OF_THE_ATTEMPT) -> Rows:
    """All tables but those named."""
    found = await asyncio.gather(*(_of_service(*each) for each in site.databases.items()))
    return {name: rows for tables in found for name, rows in tables.items() if name not in but}


async def _of_service(service: str, dsn: str) -> Rows:
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "cell_0"})
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            names = await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'cell_0' ORDER BY 1"
            )
            return {
                f"{service}.{name}": await connection.fetchval(
                    f"""
                    SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0)
                    FROM "{name}" AS t
                    """
                )
                for (name,) in names
            }
    finally:
        await connection.close()


def changed(before: Rows, now: Rows) -> list[str]:
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


async def at_rest(site: Site, bus: Bus, within: float = 30.0) -> None:
    """Wait until nothing is under way: all is published, answered and consumed."""

    async def resting() -> bool:
        return not await count_unsettled(site.databases)

    await until(resting, "nothing is under way", within)
    await bus.caught_up(within)
    await until(resting, "nothing is under way", within)
