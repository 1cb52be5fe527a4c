"""Watching a wallet while something happens to it: I3 and I4 in every snapshot."""

from __future__ import annotations

import asyncio
from types import TracebackType

import asyncpg

from proof.databases import Connection, cells_of
from proof.ledger import conservation, overdraft, recomputed
from proof.rows import BOOKS, Flow, Ledger, Quota

EVERY_SECONDS = 0.2
MOST_KEPT = 100

_AWAY = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what rolling back says where the server ended meanwhile
    OSError,
    TimeoutError,
)

# One statement is one snapshot; REPEATABLE READ says so aloud.
_SNAPSHOT = """
SELECT
    quota_id::text, granted, available, held, spent, restoring, returned, sharer_psn_no,
    flows.sources, flows.targets, flows.amounts
FROM quota
LEFT JOIN (
    SELECT
        quota_id, array_agg(source) AS sources, array_agg(target) AS targets,
        array_agg(amount) AS amounts
    FROM (
        SELECT quota_id, source, target, sum(amount)::bigint AS amount
        FROM entry
        GROUP BY quota_id, source, target
    ) AS flow
    GROUP BY quota_id
) AS flows USING (quota_id)
"""


class Watcher:
    """`async with Watcher(dsn) as watcher:` looks every 200 ms until the block ends.

    `violations` holds what was wrong in some snapshot, `snapshots` counts them. A database that
    is away for a while is looked at again when it is back.
    """

    def __init__(self, dsn: str, every_seconds: float = EVERY_SECONDS) -> None:
        self._dsn = dsn
        self._every_seconds = every_seconds
        self._ended = asyncio.Event()
        self._looked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.violations: list[str] = []
        self.snapshots = 0

    async def __aenter__(self) -> Watcher:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        assert self._task is not None
        await self._task

    async def another(self) -> None:
        """Return when one more snapshot was looked at."""
        self._looked.clear()
        await self._looked.wait()

    async def _watch(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=20)
                try:
                    await self._look_until_ended(connection)
                finally:
                    connection.terminate()
                return
            except _AWAY:
                if await self._ends_within(self._every_seconds):
                    return

    async def _look_until_ended(self, connection: Connection) -> None:
        while True:
            for cell in await cells_of(connection):
                self._keep(await self._snapshot(connection, cell))
            if await self._ends_within(self._every_seconds):
                return

    async def _snapshot(self, connection: Connection, cell: str) -> Ledger:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute("SELECT set_config('search_path', $1, true)", cell)
            return ledger_of(await connection.fetch(_SNAPSHOT))

    def _keep(self, ledger: Ledger) -> None:
        self.snapshots += 1
        found = [*conservation(ledger), *overdraft(ledger), *recomputed(ledger)]
        room = MOST_KEPT - len(self.violations)
        self.violations += [f"snapshot {self.snapshots}: {each}" for each in found[:room]]
        self._looked.set()

    async def _ends_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        return True


def ledger_of(rows: list[asyncpg.Record]) -> Ledger:
    quotas: list[Quota] = []
    flows: list[Flow] = []
    for row in rows:
        books = {name: row[name] for name in ("quota_id", "granted", *BOOKS)}
        quotas.append(Quota(**books))
        moved = zip(row["sources"] or (), row["targets"] or (), row["amounts"] or (), strict=True)
        flows += [
            Flow(
                quota_id=row["quota_id"],
                payment_id=None,
                source=source,
                target=target,
                amount=amount,
            )
            for source, target, amount in moved
        ]
    return Ledger(quotas=tuple(quotas), flows=tuple(flows))
