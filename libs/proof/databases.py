"""Reading plain rows from the databases of a stack; a cell is a schema called `cell_N`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg

from proof.rows import (
    Allocation,
    Consumed,
    Flow,
    Frozen,
    Ledger,
    Order,
    Passage,
    Payment,
    Provinces,
    Quota,
    Receipt,
    Saga,
    Told,
)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SANDBOX = "sandbox"
"""The outside world: it has to know who its people are."""

_QUOTAS = """
SELECT
    quota_id::text, granted, available, held, spent, restoring, returned, sharer_psn_no
FROM quota
"""
_FLOWS = """
SELECT quota_id::text, payment_id::text, source, target, sum(amount)::bigint AS amount
FROM entry
GROUP BY quota_id, payment_id, source, target
"""
_PAYMENTS = "SELECT payment_id::text, amount, captured, refunded FROM payment"
_ALLOCATIONS = "SELECT payment_id::text, quota_id::text, amount FROM allocation"
_ORDERS = "SELECT order_id::text, quota_id::text, kind, amount, state FROM account_order"
_RECEIPTS = "SELECT caller, scope::text, key, status, body FROM receipt"
_TOLD = """
SELECT event_id::text, topic, key, sequence, unpublished.position IS NULL AS published
FROM outbox
LEFT JOIN unpublished USING (position)
"""


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=60)
    try:
        yield connection
    finally:
        await connection.close()


async def cells_of(connection: Connection) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT nspname FROM pg_namespace WHERE nspname ~ '^cell_[0-9]+$'
        ORDER BY length(nspname), nspname
        """
    )
    return [row["nspname"] for row in rows]


@asynccontextmanager
async def snapshot(connection: Connection, cell: str) -> AsyncIterator[None]:
    """What is read inside is read as of one moment, in this cell."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SELECT set_config('search_path', $1, true)", cell)
        yield


async def read_ledger(dsn: str) -> Ledger:
    """All that the wallets of a database keep: one snapshot a cell."""
    quotas: list[Quota] = []
    flows: list[Flow] = []
    payments: list[Payment] = []
    allocations: list[Allocation] = []
    orders: list[Order] = []
    receipts: list[Receipt] = []
    async with connected(dsn) as connection:
        for cell in await cells_of(connection):
            async with snapshot(connection, cell):
                quotas += [Quota(**row) for row in await connection.fetch(_QUOTAS)]
                flows += [Flow(**row) for row in await connection.fetch(_FLOWS)]
                payments += [Payment(**row) for row in await connection.fetch(_PAYMENTS)]
                allocations += [Allocation(**row) for row in await connection.fetch(_ALLOCATIONS)]
                orders += [Order(**row) for row in await connection.fetch(_ORDERS)]
                receipts += [Receipt(**row) for row in await connection.fetch(_RECEIPTS)]
    return Ledger(
        quotas=tuple(quotas),
        flows=tuple(flows),
        payments=tuple(payments),
        allocations=tuple(allocations),
        orders=tuple(orders),
        receipts=tuple(receipts),
    )


async def read_outbox(dsn: str) -> list[Told]:
    """What every cell of a database has to tell, each in an order of its own."""
    told: list[Told] = []
    async with connected(dsn) as connection:
        for cell in await cells_of(connection):
            async with snapshot(connection, cell):
                told += [Told(source=cell, **row) for row in await connection.fetch(_TOLD)]
    return told


async def read_consumed(service: str, dsn: str) -> tuple[list[Consumed], set[tuple[str, str, str]]]:
    """How far a service has read, and the (service, topic, key) whose records it has parked."""
    consumed: list[Consumed] = []
    parked: set[tuple[str, str, str]] = set()
    async with connected(dsn) as connection:
        for cell in await cells_of(connection):
            async with snapshot(connection, cell):
                rows = await connection.fetch(
                    "SELECT source, topic, key, last_sequence AS last FROM consumed"
                )
                consumed += [Consumed(service=service, **row) for row in rows]
                rows = await connection.fetch(
                    "SELECT DISTINCT topic, coalesce(key, '') AS key FROM parked"
                    " WHERE resolved_at IS NULL"
                )
                parked |= {(service, row["topic"], row["key"]) for row in rows}
    return consumed, parked


async def read_provinces(dsn: str) -> Provinces:
    """The accounts of the provinces that the sandbox plays."""
    async with connected(dsn) as connection:
        [cell] = await cells_of(connection)
        async with snapshot(connection, cell):
            holders = await connection.fetch("SELECT psn_no FROM account")
            frozen = await connection.fetch(
                "SELECT quota_id::text, psn_no, frozen_fen AS amount FROM frozen_quota"
            )
    return Provinces(
        holders=frozenset(row["psn_no"] for row in holders),
        frozen=tuple(Frozen(**row) for row in frozen),
    )


_UNSETTLED = {
    "outbox": "SELECT count(*) FROM unpublished",
    "account_order": (
        "SELECT count(*) FROM account_order WHERE state = 'sent' AND parked_at IS NULL"
    ),
    "relation": "SELECT count(*) FROM relation WHERE state IN ('activating', 'ending')",
    "period_cut": "SELECT count(*) FROM period_cut WHERE told_at IS NULL",
    "period": "SELECT count(*) FROM period WHERE state = 'cut'",
}


async def count_unsettled(databases: Mapping[str, str]) -> dict[str, int]:
    """What is under way: events not published, orders not answered, what is half made or cut."""
    found: dict[str, int] = {}
    for name, dsn in databases.items():
        async with connected(dsn) as connection:
            for cell in await cells_of(connection):
                async with snapshot(connection, cell):
                    for table, sql in _UNSETTLED.items():
                        if name == SANDBOX and table != "outbox":
                            continue
                        if await connection.fetchval("SELECT to_regclass($1)", table) is None:
                            continue
                        count = await connection.fetchval(sql)
                        if count:
                            found[f"{name}.{cell}.{table}"] = count
    return found


SAGAS = {
    "wallet": (
        """
        SELECT
            kind || ' order' AS kind, order_id::text AS name,
            'its province, or the next ask' AS waits_for,
            extract(epoch FROM clock_timestamp() - asked_at)::float8 AS seconds,
            parked_because AS parked
        FROM account_order
        WHERE state = 'sent'
    """,
        """
        SELECT
            'hold' AS kind, payment_id::text AS name, 'the sweep' AS waits_for,
            extract(epoch FROM clock_timestamp() - expires_at)::float8 AS seconds,
            NULL AS parked
        FROM payment
        WHERE state = 'held' AND expires_at <= clock_timestamp()
    """,
        """
        SELECT
            'premium' AS kind, payment_id::text AS name, 'its fund, or the next ask' AS waits_for,
            extract(epoch FROM clock_timestamp() - ask_again_at)::float8 AS seconds,
            NULL AS parked
        FROM premium
        WHERE state = 'asked'
    """,
        """
        SELECT
            'freezing quota' AS kind, quota_id::text AS name, NULL AS waits_for,
            0::float8 AS seconds, NULL AS parked
        FROM quota
        WHERE state = 'freezing' AND NOT EXISTS (
            SELECT FROM account_order
            WHERE account_order.quota_id = quota.quota_id AND account_order.kind = 'freeze'
            AND account_order.state = 'sent'
        )
    """,
        """
        SELECT
            'restoring quota' AS kind, quota_id::text AS name, NULL AS waits_for,
            0::float8 AS seconds, NULL AS parked
        FROM quota
        WHERE restoring <> (
            SELECT coalesce(sum(amount), 0) FROM account_order
            WHERE account_order.quota_id = quota.quota_id AND account_order.kind = 'credit'
            AND account_order.state = 'sent'
        )
    """,
        """
        SELECT
            'payment without an end' AS kind, payment_id::text AS name, NULL AS waits_for,
            0::float8 AS seconds, NULL AS parked
        FROM payment
        WHERE state = 'held' AND expires_at IS NULL AND NOT EXISTS (
            SELECT FROM premium
            WHERE premium.payment_id = payment.payment_id AND premium.state = 'asked'
        )
    """,
        """
        SELECT
            'cut' AS kind, period AS name, 'the sweep' AS waits_for,
            extract(epoch FROM clock_timestamp() - cut_at)::float8 AS seconds, NULL AS parked
        FROM period_cut
        WHERE told_at IS NULL
    """,
    ),
    "settlement": (
        """
        SELECT
            state || ' month' AS kind, period AS name, 'its lines' AS waits_for,
            extract(epoch FROM clock_timestamp() - cut_at)::float8 AS seconds,
            CASE state
                WHEN 'issued' THEN 'its provinces have not all confirmed it'
                WHEN 'confirmed' THEN 'its provinces have not all paid'
            END AS parked
        FROM period
        WHERE state IN ('cut', 'issued', 'confirmed')
    """,
    ),
    "relations": (
        """
        SELECT
            state || ' relation' AS kind, relation_id::text AS name,
            CASE WHEN state = 'activating' AND kinship = 'asked'
                THEN 'its province, or the next ask' ELSE 'the wallet' END AS waits_for,
            extract(
                epoch FROM clock_timestamp() - greatest(changed_at, kinship_asked_at)
            )::float8 AS seconds,
            CASE WHEN state = 'activating' AND kinship = 'unknown'
                THEN 'no province knows them as relatives' END AS parked
        FROM relation
        WHERE state IN ('activating', 'ending')
    """,
        """
        SELECT
            'lapsed relation' AS kind, relation_id::text AS name, 'the sweep' AS waits_for,
            extract(epoch FROM clock_timestamp() - ends_at)::float8 AS seconds, NULL AS parked
        FROM relation
        WHERE ends_at <= clock_timestamp()
    """,
        """
        SELECT
            'enrolment whose day has come' AS kind,
            concat_ws(' ', pool_admdvs, psn_no, insutype, since) AS name,
            'the sweep' AS waits_for,
            extract(
                epoch FROM clock_timestamp() - since::timestamp AT TIME ZONE 'Asia/Shanghai'
            )::float8 AS seconds,
            NULL AS parked
        FROM enrolment_ahead
        WHERE outcome IS NULL
        AND since <= (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date
    """,
    ),
}


async def read_sagas(databases: Mapping[str, str]) -> list[Saga]:
    """Everything that was begun and has not ended, in the services' databases."""
    return [saga for service in SAGAS for saga in await read_sagas_of(service, databases[service])]


async def read_sagas_of(service: str, dsn: str) -> list[Saga]:
    """The same in one service's database."""
    sagas: list[Saga] = []
    async with connected(dsn) as connection:
        for cell in await cells_of(connection):
            async with snapshot(connection, cell):
                for sql in SAGAS[service]:
                    sagas += [Saga(**row) for row in await connection.fetch(sql)]
    return sagas


async def dump(name: str, dsn: str) -> AsyncIterator[Passage]:
    """Every table of a database as the bytes and texts that stand in it."""
    async with connected(dsn) as connection:
        for cell in await cells_of(connection):
            tables = await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY 1", cell
            )
            for table in (row["tablename"] for row in tables):
                async with snapshot(connection, cell):
                    everything = f'SELECT * FROM "{table}"'  # noqa: S608 -- a name of the catalogue
                    cursor = connection.cursor(everything)
                    content = b"\n".join([_bytes_of(row) async for row in cursor])
                yield Passage(where=f"{name}.{cell}.{table}", content=content)


def _bytes_of(row: asyncpg.Record) -> bytes:
    return b"\t".join(
        value if isinstance(value, bytes) else _text(value).encode() for value in row.values()
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
