"""Lines that were there before months were: they are taken over, and add up."""

from __future__ import annotations

from datetime import UTC, date, datetime

import asyncpg

from kit.ids import new_id
from kit.migrate import migrate
from policy.areas import all_areas, province_of
from settlement.main import SERVICE
from tests.conftest import MakeDatabase
from tests.support.settlements import clearing_on
from tests.support.teller_wallet import ALAR

AT = datetime(2026, 11, 20, tzinfo=UTC)


async def test_lines_of_captures_become_lines_of_a_month(make_database: MakeDatabase) -> None:
    dsn = make_database("settlement")
    migrations = SERVICE.all_migrations()
    before = [each for each in migrations if each.name < "settlement/0002"]
    await migrate(dsn, before)
    today = date(2026, 11, 20)
    pools = sorted(area.code for area in all_areas(today))
    rows = [
        (new_id(n % 3), new_id(n % 3), "2026-11", pool, ALAR, "pharmacy", "P65900200001", n + 1)
        for n, pool in enumerate(pools)
    ]
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "cell_0"})
    await connection.copy_records_to_table("line", records=[(*row, AT, AT) for row in rows])
    await connection.close()

    assert await migrate(dsn, migrations) == ["cell_0: settlement/0002_months.sql"]
    async with clearing_on(dsn) as clearing:
        await clearing.audited()
        found = await clearing.pool.fetch("SELECT debtor, cell, debtor_province FROM line")
        assert sorted(tuple(row) for row in found) == [
            (pool, n % 3, province_of(pool, today)) for n, pool in enumerate(pools)
        ]
        assert await clearing.prefund("440000", "660000") is not None
        received = await clearing.pool.fetch("SELECT cell, lines FROM received ORDER BY cell")
        assert sum(row["lines"] for row in received) == len(pools)
