"""A database transaction as use cases and stores see it: reads, counted writes, no commit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg

from kit.ids import new_id


@cache
def _insertion(table: str, columns: tuple[str, ...]) -> str:
    values = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608 - names are ours


class Transaction:
    """One transaction in one cell. Only the door begins and commits it.

    `context` is what the door's preamble read under its lock.
    """

    __slots__ = ("_connection", "cell", "context")

    def __init__(
        self,
        connection: asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any],
        cell: int,
    ) -> None:
        self._connection = connection
        self.cell = cell
        self.context: Any = None

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        return await self._connection.fetch(sql, *values)

    async def fetchrow(self, sql: str, *values: object) -> asyncpg.Record | None:
        return await self._connection.fetchrow(sql, *values)

    async def fetchval(self, sql: str, *values: object) -> Any:
        return await self._connection.fetchval(sql, *values)

    async def write(self, sql: str, *values: object, rows: int) -> None:
        """Perform a statement that must touch exactly `rows` rows."""
        status = await self._connection.execute(sql, *values)
        touched = int(status.rpartition(" ")[2])
        assert touched == rows, f"{touched} rows were written instead of {rows}: {sql}"

    async def insert(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> None:
        """Add `rows` to a table, in their order.

        It is a binary COPY: of many rows it costs half of an INSERT from arrays, here and there.
        But it is two round trips, so that a lone row is inserted as one.
        """
        if len(rows) == 1:
            await self.write(_insertion(table, tuple(columns)), *rows[0], rows=1)
            return
        status = await self._connection.copy_records_to_table(
            table, columns=list(columns), records=rows
        )
        assert status == f"COPY {len(rows)}", f"{status} instead of {len(rows)} rows into {table}"

    def new_id(self) -> UUID:
        """A fresh id that carries this cell."""
        return new_id(self.cell)
