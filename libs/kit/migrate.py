"""Migrations: numbered SQL files, applied once, in order, forward only, to every cell.

A cell is a schema. The kit's own tables come first, then the service's. A file that landed is
never changed: its checksum is kept, and a difference stops the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from kit.postgres import connect, schema_of

KIT_SCHEMA = Path(__file__).parent / "schema"


class MigrationChanged(Exception):
    """A migration that was applied has been changed since; write a new one instead."""


class MigrationUnknown(Exception):
    """The database has a migration that this code does not know; it is older than its schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(service: str, folder: Path) -> list[Migration]:
    """All migrations of a service, the kit's first, in the order of their numbers."""
    return [
        Migration(name=f"{room}/{path.name}", sql=path.read_text(encoding="utf-8"))
        for room, where in (("kit", KIT_SCHEMA), (service, folder))
        for path in sorted(where.glob("*.sql"))
    ]


async def migrate(dsn: str, migrations: Sequence[Migration], *, cells: int = 1) -> list[str]:
    """Bring every cell up to date; returns what was applied, as `cell_0: wallet/0001_….sql`."""
    applied: list[str] = []
    for cell in range(cells):
        schema = schema_of(cell)
        connection = await connect(dsn, schema=schema, application_name="migrate")
        try:
            names = await _migrate_cell(connection, schema, migrations)
            applied += [f"{schema}: {name}" for name in names]
        finally:
            await connection.close()
    return applied


async def _migrate_cell(
    connection: asyncpg.Connection[Any], schema: str, migrations: Sequence[Migration]
) -> list[str]:
    await connection.execute("SET transaction_timeout = 0; SET lock_timeout = '5s'")
    await connection.execute("SET idle_in_transaction_session_timeout = 0")
    await connection.execute(
        "SELECT pg_advisory_lock(hashtextextended($1, 0))", f"migrate:{schema}"
    )
    await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    await connection.execute(
        """
        CREATE TABLE IF NOT EXISTS migration (
            name text PRIMARY KEY,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
    done = await _checksums(connection)
    unknown = done.keys() - {migration.name for migration in migrations}
    if unknown:
        raise MigrationUnknown(", ".join(sorted(unknown)))
    names = []
    for migration in migrations:
        if migration.name in done:
            if done[migration.name] != migration.checksum:
                raise MigrationChanged(migration.name)
            continue
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO migration (name, checksum) VALUES ($1, $2)",
                migration.name,
                migration.checksum,
            )
        names.append(migration.name)
    return names


async def is_migrated(
    connection: asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any],
    migrations: Sequence[Migration],
) -> bool:
    """Whether this cell's schema has every migration this code needs."""
    if await connection.fetchval("SELECT to_regclass('migration')") is None:
        return False
    done = await _checksums(connection)
    return all(done.get(migration.name) == migration.checksum for migration in migrations)


async def _checksums(
    connection: asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any],
) -> dict[str, str]:
    rows = await connection.fetch("SELECT name, checksum FROM migration")
    return {row["name"]: row["checksum"] for row in rows}
