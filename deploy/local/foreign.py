"""What we leave on servers that are not ours, named so that we find it again, and how it goes."""

from __future__ import annotations

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.postgres import named


async def delete_topics(bootstrap: str, prefix: str) -> None:
    """All whose name begins with the prefix, which may not be empty.

    A group forgets the offsets of a deleted topic, and the broker a group without offsets.
    """
    assert prefix
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        if names:
            await admin.delete_topics(names)
    finally:
        await admin.close()


async def ensure_databases(admin_dsn: str, names: list[str]) -> dict[str, str]:
    """Create those that are missing; name → DSN."""
    connection = await asyncpg.connect(admin_dsn)
    try:
        there = {
            row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")
        }
        for name in names:
            if name not in there:
                await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    finally:
        await connection.close()
    return {name: named(admin_dsn, name) for name in names}


async def drop_databases(admin_dsn: str, mark: str) -> None:
    """All whose name begins with the mark, which may not be empty."""
    assert mark
    connection = await asyncpg.connect(admin_dsn)
    try:
        rows = await connection.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", mark
        )
        for row in rows:
            await connection.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')
    finally:
        await connection.close()
