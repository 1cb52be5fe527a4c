"""The command line of any service: `python -m <service> all | api | consume | relay | …`.

SIGTERM ─▶ not ready ─▶ requests finish ─▶ consumers commit ─▶ batches drain
        ─▶ relays make a last pass ─▶ pools close ─▶ exit 0
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import Any

import structlog
import typer
import uvicorn
from fastapi import FastAPI
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit import logs
from kit.audit import AuditLoop, audit
from kit.dead_letters import DeadLetters
from kit.faultpoint import arm_from_environment
from kit.health import Health
from kit.http import create_app, served
from kit.kafka import reach
from kit.launch import read_settings, run
from kit.loops import Loop, looping
from kit.migrate import migrate
from kit.parked_commands import parked_commands
from kit.relay import Relay
from kit.runtime import Parts, Runtime, S, Service, open_runtime
from kit.serving import server_config
from kit.settings import ServiceSettings
from kit.sweep import Sweep
from kit.topics import TopicsLoop

__all__ = ["Parts", "Runtime", "Service", "Sweep", "cli", "main", "run"]

log = structlog.get_logger("kit.run")

REQUESTS_FINISH_WITHIN_SECONDS = 15


class Role(StrEnum):
    API = "api"
    CONSUME = "consume"
    RELAY = "relay"
    SWEEP = "sweep"


class DatabaseSettings(BaseSettings):
    """What is needed to migrate or audit: no keys, no broker."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    database_url: str
    cells: int = Field(default=1, ge=1, le=4096)
    log_level: str = "INFO"


def main(service: Service[Any]) -> None:
    """Run the command line of a service."""
    cli(service)()


def cli(service: Service[S]) -> typer.Typer:
    """The command line, for a service that adds commands of its own."""
    app = typer.Typer(
        name=service.name,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # they show the values of variables
    )

    @app.callback()
    def prepare() -> None:
        if not __debug__:
            raise SystemExit("refusing to run under python -O: assertions hold the invariants")
        arm_from_environment()

    def command(name: str, text: str, *roles: Role, migrates: bool = False) -> None:
        def start() -> None:
            settings = read_settings(service.settings)
            logs.configure(service.name, settings.log_level)
            run(serve(service, settings, frozenset(roles), migrates=migrates))

        app.command(name, help=text)(start)

    command("all", "Migrate, then everything in one process.", *Role, migrates=True)
    command("api", "Answer HTTP.", Role.API)
    command("consume", "Read Kafka.", Role.CONSUME)
    command("relay", "Publish the outbox.", Role.RELAY)
    command("sweep", "Do what falls due, and audit.", Role.SWEEP)
    _add_database_commands(app, service)
    app.add_typer(parked_commands(service), name="parked")
    return app


def _add_database_commands(app: typer.Typer, service: Service[Any]) -> None:
    @app.command("migrate", help="Bring every cell's schema up to date.")
    def migrate_command() -> None:
        settings = read_settings(DatabaseSettings)
        logs.configure(service.name, settings.log_level)
        run(_migrate(service, settings))

    @app.command("audit", help="Ask the audits once; exit 1 if one finds a row.")
    def audit_command() -> None:
        settings = read_settings(DatabaseSettings)
        logs.configure(service.name, settings.log_level)
        cells = service.cells(settings.cells)
        if run(audit(settings.database_url, cells, service.audits)):
            raise SystemExit(1)


async def _migrate(service: Service[Any], settings: DatabaseSettings | ServiceSettings) -> None:
    cells = service.cells(settings.cells)
    for name in await migrate(settings.database_url, service.all_migrations(), cells=cells):
        log.info("migrated", migration=name)


async def serve(
    service: Service[S], settings: S, roles: frozenset[Role], *, migrates: bool = False
) -> None:
    """Run these roles of a service until told to stop; returns when drained."""
    if migrates:
        await _migrate(service, settings)
    health = Health()
    async with open_runtime(service, settings, health) as runtime:
        parts = await service.assemble(runtime)
        topics = TopicsLoop(runtime.broker, service.all_topics(settings))
        speaking = [topics] if roles & {Role.CONSUME, Role.RELAY} else []
        if speaking:
            health.require("topics", topics.check)
            if Role.API not in roles:
                health.require("kafka", lambda: reach(runtime.broker))
        async with (
            looping(_relays(runtime, roles), health, after=topics.ready),
            _closing(runtime),
            looping(_inner_loops(runtime, parts, roles), health, after=topics.ready),
            looping([*_free_loops(runtime, parts, roles), *speaking], health),
        ):
            _spare_the_collector()
            app = parts.app if Role.API in roles else create_app(service.name, health=health)
            await _answer(app, settings, health)
    log.info("drained")


def _spare_the_collector() -> None:
    """What lives before the first request lives as long as the process; requests make no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@asynccontextmanager
async def _closing(runtime: Runtime[Any]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await runtime.closing.aclose()


def _relays(runtime: Runtime[Any], roles: frozenset[Role]) -> list[Loop]:
    source = runtime.service.source
    if Role.RELAY not in roles or source is None:
        return []
    url = runtime.settings.database_url
    return [
        Relay(dsn=url, cell=cell, source=source(cell), broker=runtime.broker)
        for cell in range(runtime.cells)
    ]


def _inner_loops(runtime: Runtime[Any], parts: Parts, roles: frozenset[Role]) -> list[Loop]:
    """What needs topics."""
    if Role.CONSUME not in roles or not parts.consumers:
        return []
    dead = DeadLetters(service=runtime.service.name, parking=runtime.parking, broker=runtime.broker)
    return [*parts.consumers, dead]


def _free_loops(runtime: Runtime[Any], parts: Parts, roles: frozenset[Role]) -> list[Loop]:
    """What needs no broker."""
    loops: list[Loop] = []
    if Role.API in roles:
        loops += parts.loops
    if Role.SWEEP in roles:
        loops += parts.sweeps
        if runtime.service.audits:
            url, audits = runtime.settings.database_url, runtime.service.audits
            loops.append(AuditLoop(dsn=url, cells=runtime.cells, audits=audits))
    return loops


class _Server(uvicorn.Server):
    """uvicorn would raise the signal again after draining; we exit 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _answer(app: FastAPI, settings: ServiceSettings, health: Health) -> None:
    server = _Server(
        server_config(
            served(app),
            host=settings.host,
            port=settings.port,
            drain_seconds=REQUESTS_FINISH_WITHIN_SECONDS,
        )
    )

    def stop() -> None:
        server.force_exit = health.draining
        server.should_exit = health.draining = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve()
