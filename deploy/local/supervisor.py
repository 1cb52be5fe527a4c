"""The process behind `make up`: starts everything, in order, and starts again what dies.

starting --ready--> ready --died--> starting …   (each child, forever, with a growing pause)
all ready for the first time --> var/stack.json; again whenever a pid changes
SIGTERM --> services, then Kafka and PostgreSQL, are stopped and the files are gone
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import psutil

from deploy.local import servers, services, world
from deploy.local.checkout import Checkout, write_json
from deploy.local.choice import SERVICES, Choice
from deploy.local.keys import Keys
from deploy.local.program import NotStarted, Program

FIRST_START_SECONDS = 120
STOP_SECONDS = 20  # a service lets requests finish for 15
LONGEST_PAUSE_SECONDS = 5.0
# A child that ends this often before it was ever ready has something that a restart cannot heal.
MOST_EARLY_DEATHS = 3


@dataclass(slots=True, kw_only=True)
class Child:
    """One program and the process that runs it now."""

    program: Program
    state: str = "starting"
    running: asyncio.subprocess.Process | None = None
    created: float = 0.0
    early_deaths: int = 0
    was_ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int | None:
        return self.running.pid if self.running else None


class Supervisor:
    def __init__(self, checkout: Checkout, choice: Choice) -> None:
        self.checkout = checkout
        self.choice = choice
        self.children: dict[str, Child] = {}
        self.minders: dict[str, asyncio.Task[None]] = {}
        self.stack: dict[str, Any] | None = None
        self.doing = ""
        self.error = ""

    async def run(self) -> None:
        """Until SIGTERM; raises what kept the stack from coming up."""
        asked_to_stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
        waiting = asyncio.create_task(asked_to_stop.wait())
        starting = asyncio.create_task(self.bring_up())
        try:
            await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await waiting
        except Exception as problem:  # whatever it was, the person at the terminal is told
            self.error = str(problem) or repr(problem)
            raise
        finally:
            starting.cancel()
            await self.take_down()

    async def bring_up(self) -> None:
        keys = await asyncio.to_thread(Keys.ensure, self.checkout.keys)
        await asyncio.to_thread(world.write_world, self.checkout)
        (databases, kafka) = await asyncio.gather(self.postgres(), self.kafka())
        programs = services.programs(self.checkout, self.choice, keys, databases, kafka)
        await asyncio.gather(*(self.start(program) for program in programs))
        self.stack = {
            **{service: services.url(self.choice, service) for service in SERVICES},
            "kafka": kafka,
            "topic_prefix": self.choice.topic_prefix,
            "cells": self.choice.cells,
            "databases": databases,
            **world.for_stack_file(self.checkout, keys),
        }
        self.tell()

    async def postgres(self) -> dict[str, str]:
        admin_dsn = self.choice.database_url
        if admin_dsn is None:
            cluster = servers.cluster(self.checkout, self.choice)
            await self.prepare("postgres", cluster.create)
            await self.start(cluster.program())
            admin_dsn = cluster.dsn
        names = self.choice.database_names(self.checkout)
        return await servers.ensure_databases(admin_dsn, names)

    async def kafka(self) -> str:
        if self.choice.kafka is not None:
            return self.choice.kafka
        broker = servers.broker(self.checkout, self.choice)
        if not broker.jars.exists():
            self.doing = "fetching Kafka, once (54 MB)"
        await self.prepare("kafka", lambda: servers.prepare_broker(broker))
        self.doing = ""
        await self.start(broker.program())
        return broker.bootstrap

    async def prepare(self, name: str, create: Callable[[], object]) -> None:
        self.tell()
        await asyncio.to_thread(create)

    async def start(self, program: Program) -> None:
        """Start it and mind it from now on. Returns when it is ready for the first time."""
        child = Child(program=program)
        self.children[program.name] = child
        minder = asyncio.create_task(self.mind(child))
        self.minders[program.name] = minder
        ready = asyncio.create_task(child.was_ready.wait())
        done, _ = await asyncio.wait(
            {ready, minder}, timeout=FIRST_START_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if minder in done:
            minder.result()
        if ready not in done:
            ready.cancel()
            raise program.failed(f"was not ready within {FIRST_START_SECONDS} s")

    async def mind(self, child: Child) -> None:
        """Run it, and run it again when it dies; raises NotStarted if it never gets anywhere."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            await self.launch(child)
            assert child.running is not None
            watching = asyncio.create_task(self.watch(child))
            started = time.monotonic()
            try:
                code = await child.running.wait()
            finally:
                watching.cancel()
            child.state = "starting"
            self.tell()
            if not child.was_ready.is_set():
                child.early_deaths += 1
                if child.early_deaths >= MOST_EARLY_DEATHS:
                    raise child.program.failed(f"ended with {code}")
            lived_long = time.monotonic() - started > 2 * LONGEST_PAUSE_SECONDS
            pause = 0.0 if lived_long else min(max(2 * pause, 0.2), LONGEST_PAUSE_SECONDS)

    async def launch(self, child: Child) -> None:
        program = child.program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            child.running = await asyncio.create_subprocess_exec(
                *program.tethered(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **program.env},
                cwd=program.cwd,
                start_new_session=True,
            )
        with contextlib.suppress(psutil.NoSuchProcess):
            child.created = psutil.Process(child.running.pid).create_time()
        self.tell()

    async def watch(self, child: Child) -> None:
        while not await asyncio.to_thread(child.program.ready):  # noqa: ASYNC110 -- tells when asked
            await asyncio.sleep(0.1)
        child.state = "ready"
        child.was_ready.set()
        self.tell()

    def tell(self) -> None:
        """Write what is so now; readers see the old file or the new one, never half of one."""
        running = {name: child for name, child in self.children.items() if child.pid}
        state = {
            "pid": os.getpid(),
            "created": psutil.Process().create_time(),
            "choice": self.choice.as_json(),
            "up": self.stack is not None,
            "doing": self.doing,
            "error": self.error,
            "children": {
                name: {
                    "pid": child.pid,
                    "created": child.created,
                    "state": child.state,
                    "stop_signal": int(child.program.stop_signal),
                }
                for name, child in running.items()
            },
        }
        write_json(self.checkout.state_file, state)
        if self.stack is not None:
            pids = {name: child.pid for name, child in running.items()}
            write_json(self.checkout.stack_file, {**self.stack, "pids": pids})

    async def take_down(self) -> None:
        """Callers first, then what they call, so that nobody's last words fail."""
        self.stack = None
        self.checkout.stack_file.unlink(missing_ok=True)
        for minder in self.minders.values():
            minder.cancel()
        await asyncio.gather(*self.minders.values(), return_exceptions=True)
        orders: list[Callable[[str], bool]] = [
            lambda name: name in SERVICES,
            lambda name: name not in SERVICES,
        ]
        for chosen in orders:
            stopping: list[Awaitable[None]] = [
                self.stop(child) for name, child in self.children.items() if chosen(name)
            ]
            await asyncio.gather(*stopping)
        if self.error:
            self.tell()
        else:
            self.checkout.state_file.unlink(missing_ok=True)

    async def stop(self, child: Child) -> None:
        process = child.running
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(child.program.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        child.running = None


async def supervise() -> None:
    checkout = Checkout.here()
    with contextlib.suppress(NotStarted):  # told in the state file
        await Supervisor(checkout, Choice.read(checkout)).run()
