"""Reading without the door: no lock, no decision, never older than what was answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kit.postgres import RELEASE_SECONDS, Pool, connect, is_passing, schema_of
from kit.refusal import Unavailable
from kit.transaction import Transaction

ACQUIRE_SECONDS = 0.5
LONGEST_SECONDS = 600


@asynccontextmanager
async def reading(pool: Pool, cell: int = 0) -> AsyncIterator[Transaction]:
    """A connection to read by. Raises Unavailable where the database cannot be had now."""
    try:
        connection = await pool.acquire(timeout=ACQUIRE_SECONDS)
        try:
            yield Transaction(connection, cell)
        finally:
            await pool.release(connection, timeout=RELEASE_SECONDS)
    except Exception as error:
        if not is_passing(error):
            raise
        raise Unavailable("the database did not answer") from error


@asynccontextmanager
async def reading_at_length(
    dsn: str, cell: int, *, application_name: str
) -> AsyncIterator[Transaction]:
    """A connection of its own, for a question that may take LONGEST_SECONDS. Raises Unavailable."""
    try:
        connection = await connect(
            dsn,
            schema=schema_of(cell),
            application_name=application_name,
            command_seconds=LONGEST_SECONDS,
            server_settings={
                "transaction_timeout": "0",
                "statement_timeout": f"{LONGEST_SECONDS}s",
            },
        )
        try:
            yield Transaction(connection, cell)
        finally:
            await connection.close(timeout=5)
    except Exception as error:
        if not is_passing(error):
            raise
        raise Unavailable("the database did not answer") from error
