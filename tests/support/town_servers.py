"""A PostgreSQL and a Kafka of a town's own, to be killed, put to sleep, filled and started again.

    server.end(SIGKILL) ──▶ gone ──again──▶ ready      another process, the same port and files

Both keep their files on disks of the test's own; PostgreSQL keeps what it promised (fsync on).
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.local.jars import ensure_jars
from deploy.local.kafka import Broker
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.postgres import Cluster
from deploy.local.program import NotStarted, Program, await_ready
from tests.support.databases import Databases
from tests.support.keeper import ROOT
from tests.support.town_disk import SmallDisk
from tests.support.town_until import until_so

READY_WITHIN_SECONDS = 120.0


class Server:
    """A server that a test may end; `pid` is the process that runs now, or ran last.

    `prepare` is called before each start.
    """

    def __init__(self, program: Program, prepare: Callable[[], None]) -> None:
        self.program = program
        self._prepare = prepare
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        assert self._child is not None
        return self._child.poll()

    def begin(self) -> None:
        """Start it; returns when it is ready."""
        # By this thread, with which it would die; not by one that waits for it.
        self._prepare()
        self._child = self.program.start()
        await_ready(self.program, self._child, READY_WITHIN_SECONDS)

    async def end(self, how: signal.Signals) -> int:
        """Send a signal and wait until it is gone; the id of the process."""
        assert self._child is not None
        self._child.send_signal(how)
        await self.gone()
        return self.pid

    async def gone(self) -> None:
        """Wait until it has ended, for whatever reason."""
        await until_so(lambda: self.exit_code is not None, f"{self.program.name} ends")

    async def again(self) -> None:
        """Start it on the files that it left; returns when it is ready."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while True:
            await asyncio.to_thread(self._prepare)
            self._child = self.program.start()
            try:
                await asyncio.to_thread(
                    await_ready, self.program, self._child, READY_WITHIN_SECONDS
                )
                return
            except NotStarted:
                # PostgreSQL waits for the last backend of a postmaster that was killed.
                if self.exit_code is None or time.monotonic() > deadline:
                    raise

    def said(self, what: str) -> list[str]:
        """The lines of its log that say so."""
        lines = self.program.log.read_text(errors="replace").splitlines()
        return [line for line in lines if what in line]

    def leave(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerWithSideDoor(Broker):
    """Whoever comes in by `side_port` is told that the broker is at `told_port`."""

    side_port: int
    told_port: int

    def properties(self) -> dict[str, object]:
        found = Broker.properties(self)
        side, told = f"{LOOPBACK}:{self.side_port}", f"{LOOPBACK}:{self.told_port}"
        return found | {
            "listeners": f"{found['listeners']},SIDE://{side}",
            "advertised.listeners": f"{found['advertised.listeners']},SIDE://{told}",
            "listener.security.protocol.map": (
                f"{found['listener.security.protocol.map']},SIDE:PLAINTEXT"
            ),
            "inter.broker.listener.name": "PLAINTEXT",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Both, running; a proxy that listens on `broker.told_port` stands before Kafka."""

    postgres: Server
    kafka: Server
    cluster: Cluster
    broker: BrokerWithSideDoor

    @property
    def databases(self) -> Databases:
        return Databases(self.cluster.dsn)

    def on(self, postgres: SmallDisk, kafka: SmallDisk) -> Servers:
        """The same, not started yet, on disks of their own over their folders."""
        # Its pid file, by which it is seen to be ready, is seen through the disk alone.
        seen = replace(self.cluster, data=postgres.inside / self.cluster.data.name)
        program = replace(self.postgres.program, ready=seen.is_ready)
        return replace(
            self,
            postgres=Server(postgres.entered(program), self.cluster.create),
            kafka=Server(kafka.entered(self.kafka.program), self.broker.create),
        )


def made_in(folder: Path, **settings: str) -> Servers:
    """The files of both in folders `postgres` and `kafka` here; nothing is started."""
    cluster = Cluster(
        data=folder / "postgres" / "data",
        port=free_port(),
        log=folder / "postgres.log",
        settings=settings,
    )
    cluster.create()
    ports: set[int] = set()
    while len(ports) < 4:
        ports.add(free_port())
    port, controller, side, told = ports
    broker = BrokerWithSideDoor(
        folder=folder / "kafka",
        jars=ensure_jars(ROOT / "var" / "kafka-jars"),
        port=port,
        controller_port=controller,
        side_port=side,
        told_port=told,
        log=folder / "kafka.log",
    )
    broker.create()
    return Servers(
        # Other test runs may have closed the folders above to the server's user meanwhile.
        postgres=Server(cluster.program(), cluster.create),
        kafka=Server(broker.program(), broker.create),
        cluster=cluster,
        broker=broker,
    )


@contextmanager
def running(servers: Servers) -> Iterator[Servers]:
    """Both are ready meanwhile; nothing of them runs afterwards."""
    try:
        servers.postgres.begin()
        servers.kafka.begin()
        yield servers
    finally:
        servers.kafka.leave()
        servers.postgres.leave()
