"""Connections to a cell: its schema is the search path, so that no statement names one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Pool = asyncpg.Pool

PASSING_ERRORS: tuple[type[BaseException], ...] = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
    OSError,
    TimeoutError,
)
"""Errors that say nothing about the command: the same batch may succeed the next time."""


RELEASE_SECONDS = 5.0
"""For giving a connection back; else it would have what it was acquired within, which is less."""


def is_passing(error: BaseException) -> bool:
    """Whether the same statements may succeed when they are tried again."""
    # asyncpg's complaint about an argument's type is an InterfaceError and a ValueError.
    return isinstance(error, PASSING_ERRORS) and not isinstance(error, ValueError)


MOST_STATEMENTS = 1 << 30
"""Of one connection. The driver's own limit would have a new one made, with everything that
connections remember, in the middle of the traffic of every other minute."""


def schema_of(cell: int) -> str:
    return f"cell_{cell}"


def settings_for(schema: str, application_name: str) -> dict[str, str]:
    return {
        "search_path": schema,
        "application_name": application_name,
        "timezone": "UTC",
        "transaction_timeout": "3s",
        "idle_in_transaction_session_timeout": "1s",
    }


async def open_pool(
    dsn: str,
    *,
    schema: str,
    size: int = 4,
    application_name: str,
    server_settings: dict[str, str] | None = None,
    command_seconds: float = 5,
) -> Pool:
    """A pool of at most `size` connections whose search path is `schema`.

    What is borrowed is given back as it was: whoever changes a session's settings or keeps one of
    its locks calls `reset()` on the connection. An open transaction is rolled back by the pool.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        timeout=5,
        command_timeout=command_seconds,
        max_inactive_connection_lifetime=60,
        max_queries=MOST_STATEMENTS,
        reset=_leave,
        server_settings=settings_for(schema, application_name) | (server_settings or {}),
    )


async def _leave(_connection: object) -> None:
    """Nothing to undo. To ask the server to, after each transaction, costs it a tenth of one."""


async def connect(
    dsn: str,
    *,
    schema: str,
    application_name: str,
    command_seconds: float = 10,
    server_settings: dict[str, str] | None = None,
) -> asyncpg.Connection[Any]:
    """One connection outside any pool, for what needs a session of its own."""
    return await asyncpg.connect(
        dsn,
        timeout=5,
        command_timeout=command_seconds,
        server_settings=settings_for(schema, application_name) | (server_settings or {}),
    )
