"""`python -m <service> parked list | redrive | discard`: what a clerk does about parked records."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from kit import logs
from kit.consume import Consumer
from kit.deliver import Delivery
from kit.health import Health
from kit.launch import read_settings, run
from kit.runtime import Runtime, Service, open_runtime


def parked_commands(service: Service[Any]) -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help="Records that wait for somebody.")

    @app.command("list", help="What waits, oldest first; never what is in it.")
    def list_command() -> None:
        run(_list(service))

    @app.command("redrive", help="Perform a key's parked records in order.")
    def redrive_command(topic: str, key: str) -> None:
        run(_redrive(service, topic, key))

    @app.command("discard", help="Give one record up for good, so that its key can go on.")
    def discard_command(topic: str, partition: int, offset: int) -> None:
        run(_discard(service, topic, partition, offset))

    return app


@asynccontextmanager
async def _assembled(service: Service[Any]) -> AsyncIterator[tuple[Runtime[Any], list[Consumer]]]:
    settings = read_settings(service.settings)
    logs.configure(service.name, settings.log_level)
    async with open_runtime(service, settings, Health()) as runtime:
        parts = await service.assemble(runtime)
        yield runtime, list(parts.consumers)


def _delivery(consumers: list[Consumer], topic: str) -> Delivery:
    for consumer in consumers:
        if topic in consumer.topics:
            return consumer.delivery
    raise SystemExit(f"no consumer of this service reads {topic}")


async def _list(service: Service[Any]) -> None:
    async with _assembled(service) as (runtime, _):
        table = Table("topic", "key", "partition", "offset", "reason", "attempts", "first", "last")
        for parked in await runtime.parking.all_waiting():
            raw = parked.raw
            table.add_row(
                raw.topic,
                raw.key,
                str(raw.partition),
                str(raw.offset),
                parked.reason,
                str(parked.attempts),
                parked.first_at.isoformat(timespec="seconds"),
                parked.last_at.isoformat(timespec="seconds"),
            )
        Console().print(table)


async def _redrive(service: Service[Any], topic: str, key: str) -> None:
    async with _assembled(service) as (runtime, consumers):
        performed = await _delivery(consumers, topic).redrive(topic, key)
        left = len(await runtime.parking.waiting_of(topic, key))
        Console().print(f"{performed} performed, {left or 'none'} left")
        if left:
            raise SystemExit(1)


async def _discard(service: Service[Any], topic: str, partition: int, offset: int) -> None:
    async with _assembled(service) as (runtime, consumers):
        parked = await runtime.parking.waiting_at(topic, partition, offset)
        if parked is None:
            raise SystemExit("no parked record is there")
        await _delivery(consumers, topic).discard(parked.parked_id, parked.raw)
        Console().print("discarded; redrive its key now")
