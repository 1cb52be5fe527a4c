"""A clock for a test's database: whatever asks it for the time is told what the test has set.

Nothing else is changed: the wallet's statements ask `clock_timestamp()`, and the search path leads
to one of ours, because `pg_catalog`, which comes first unless it is named, is named last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from kit.postgres import schema_of

_CLOCK = """
CREATE SCHEMA test_clock;
CREATE TABLE test_clock.clock (stands_at timestamptz, ahead interval NOT NULL);
INSERT INTO test_clock.clock VALUES (NULL, '0');
CREATE FUNCTION test_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
'SELECT coalesce(stands_at, pg_catalog.clock_timestamp() + ahead) FROM test_clock.clock';
"""


@dataclass(frozen=True, slots=True)
class DatabaseClock:
    """The clock of a database; the connections that have its settings see it."""

    dsn: str

    @classmethod
    async def of(cls, dsn: str) -> DatabaseClock:
        """A clock that is right until it is set."""
        clock = cls(dsn)
        await clock._execute(_CLOCK)
        return clock

    def settings(self, cell: int) -> dict[str, str]:
        return {"search_path": f"test_clock, {schema_of(cell)}, pg_catalog"}

    async def stands_at(self, at: datetime) -> None:
        """From now on it is always then."""
        await self._execute("UPDATE test_clock.clock SET stands_at = $1", at)

    async def is_ahead(self, ahead: timedelta) -> None:
        """It goes, and is ahead of the right one."""
        await self._execute("UPDATE test_clock.clock SET stands_at = NULL, ahead = $1", ahead)

    async def _execute(self, statement: str, *values: object) -> None:
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()
