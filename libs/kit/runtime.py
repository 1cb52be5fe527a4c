"""What a process lends a service to assemble its parts from: pools, doors, broker, parking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog
from fastapi import FastAPI

from kit.consume import Consumer, Reading, Submit
from kit.dead_letters import dead_topic
from kit.health import Health, NotReady
from kit.http import create_app
from kit.kafka import Broker, TopicSpec
from kit.loops import Loop
from kit.migrate import Migration, is_migrated, migrations_of
from kit.parking import Parking
from kit.perform import Door, Preamble
from kit.postgres import Pool, is_passing, open_pool, schema_of
from kit.progress import TellReached
from kit.relay import Source
from kit.settings import ServiceSettings
from kit.sweep import Sweep
from kit.work import UseCase

log = structlog.get_logger("kit.runtime")

S = TypeVar("S", bound=ServiceSettings)

WAIT_FOR_DATABASE_SECONDS = 30.0


def _no_topics(_settings: Any) -> Sequence[TopicSpec]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a service is made of, once assembled. `loops` are any others; they run with the app."""

    app: FastAPI
    consumers: Sequence[Consumer] = ()
    sweeps: Sequence[Sweep] = ()
    loops: Sequence[Loop] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Generic[S]):
    """A service as the command line sees it.

    `topics` are created at start, those written as well as those read. `source` gives the
    `ce_source` of what a cell publishes; without it nothing is relayed. Only a `celled` service
    divides into `CELLS` cells. `audits` are named queries that must return no row.
    """

    name: str
    settings: Callable[[], S]
    migrations: Path
    assemble: Callable[[Runtime[S]], Awaitable[Parts]]
    topics: Callable[[S], Sequence[TopicSpec]] = _no_topics
    source: Callable[[int], Source] | None = None
    celled: bool = False
    audits: Mapping[str, str] = field(default_factory=dict)

    def all_migrations(self) -> list[Migration]:
        return migrations_of(self.name, self.migrations)

    def all_topics(self, settings: S) -> list[TopicSpec]:
        return [*self.topics(settings), dead_topic(self.name)]

    def cells(self, configured: int) -> int:
        return configured if self.celled else 1


class Runtime(Generic[S]):
    """One process's connections, lent to the service's `assemble`."""

    def __init__(
        self, service: Service[S], settings: S, health: Health, pools: Sequence[Pool]
    ) -> None:
        self.service = service
        self.settings = settings
        self.health = health
        self.pools = list(pools)
        self.broker = Broker(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            prefix=settings.topic_prefix,
            options=settings.kafka_options(),
        )
        self.parking = Parking(pool=self.pools[0])
        self.closing = AsyncExitStack()

    @property
    def cells(self) -> int:
        return len(self.pools)

    def app(self, **options: Any) -> FastAPI:
        """The service's HTTP application; `options` are those of `kit.http.create_app`."""
        return create_app(self.service.name, health=self.health, **options)

    def door(
        self, cell: int, usecases: Mapping[type, UseCase], preamble: Preamble | None = None
    ) -> Door:
        return Door(self.pools[cell], cell, usecases, preamble)

    def consumer(
        self,
        *,
        topics: Sequence[str],
        reading: Reading,
        submit: Submit,
        name: str = "consumer",
        progress: TellReached | None = None,
        most_records: int = 200,
    ) -> Consumer:
        """A consumer in the service's own group; `progress` is told how far it has read.

        `most_records` of a poll are one batch.
        """
        return Consumer(
            name=name,
            group=f"{self.service.name}.{name}",
            topics=topics,
            reading=reading,
            submit=submit,
            broker=self.broker,
            parking=self.parking,
            progress=progress,
            most_records=most_records,
        )

    def on_close(self, close: Callable[[], Awaitable[object]]) -> None:
        """Have this awaited on draining: after requests and consumers, before relays."""
        self.closing.push_async_callback(close)


@asynccontextmanager
async def open_runtime(
    service: Service[S], settings: S, health: Health
) -> AsyncIterator[Runtime[S]]:
    """Open a pool for every cell, waiting a while for a database that is still starting."""
    async with AsyncExitStack() as stack:
        pools: list[Pool] = []
        for cell in range(service.cells(settings.cells)):
            pool = await _patiently(partial(_open_pool, service.name, settings, cell))
            stack.push_async_callback(_close_pool, pool)
            pools.append(pool)
        _require_schema(service, health, pools)
        runtime = Runtime(service, settings, health, pools)
        try:
            yield runtime
        finally:
            await runtime.closing.aclose()


async def _open_pool(name: str, settings: ServiceSettings, cell: int) -> Pool:
    return await open_pool(
        settings.database_url,
        schema=schema_of(cell),
        size=settings.pool_size,
        application_name=name,
    )


async def _close_pool(pool: Pool) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _patiently(connect: Callable[[], Awaitable[Pool]]) -> Pool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_FOR_DATABASE_SECONDS
    while True:
        try:
            return await connect()
        except Exception as error:
            if not is_passing(error) or loop.time() > deadline:
                raise
            log.warning("database.awaited", error=repr(error))
            await asyncio.sleep(0.5)


def _require_schema(service: Service[Any], health: Health, pools: Sequence[Pool]) -> None:
    migrations = service.all_migrations()

    async def check() -> None:
        for cell, pool in enumerate(pools):
            async with pool.acquire(timeout=1) as connection:
                if not await is_migrated(connection, migrations):
                    raise NotReady(f"cell {cell} is not migrated")

    health.require("database", check)
