"""A whole town for tests: every service and the outside world, as real processes on real servers.

site   processes, databases, topics, keys: one for a folder of tests, because it costs seconds
town   what one test does there: people of its own, the story it tells, the proofs it ends with
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from deploy.local import world
from deploy.local.checkout import Checkout
from deploy.local.choice import SERVICES, Choice
from deploy.local.keys import PROVINCES, Keys
from deploy.local.ports import free_port
from deploy.local.program import Program
from deploy.local.services import programs, url
from gm.signing import signing_key
from kit.audit import audit
from kit.kafka import Broker
from kit.runtime import Service
from proof.report import check_stack
from proof.rows import MonthSeen
from proof.watch import Watcher
from tests.support import topics
from tests.support.databases import Databases
from tests.support.fault_evidence import Evidence
from tests.support.town_people import Counter, Messenger, World
from tests.support.town_processes import Watchman
from tests.support.town_tables import read_table

PLAYED = ("110000", "440000", "510000", "650000", "660000")
"""Provinces that have people in the tests; fewer topics for the sandbox to hear."""

Layout = Mapping[str, Sequence[str]]
"""Service → the roles its processes play; a role named twice has two processes."""

ALL_IN_ONE: Layout = dict.fromkeys(SERVICES, ("all",))
SETTLED_SECONDS = 40.0
"""A consumer that was killed is missed by Kafka for ten seconds before another takes over."""

COMMAND_SECONDS = 300.0
"""A command may be the whole story, and the machine busy with others."""
INVARIANTS = {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I12", "I13"}


def service_named(name: str) -> Service[Any]:
    """What a service says of itself. Imported late: most tests need none of the five."""
    match name:
        case "gateway":
            from gateway.main import SERVICE as gateway

            return gateway
        case "relations":
            from relations.main import SERVICE as relations

            return relations
        case "wallet":
            from wallet.main import SERVICE as wallet

            return wallet
        case "settlement":
            from settlement.main import SERVICE as settlement

            return settlement
        case "sandbox":
            from sandbox.main import SERVICE as sandbox

            return sandbox
    raise AssertionError(f"there is no service {name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`stack` is what a stack's file says (contract §1), for the proofs.

    `closed` are months that the proofs have seen closed, which may not change from then on.
    """

    checkout: Checkout
    stack: Mapping[str, Any]
    watchman: Watchman
    programs: Mapping[str, Program]
    closed: dict[str, MonthSeen] = field(default_factory=dict)

    @property
    def databases(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.stack["databases"]
        return found

    @property
    def broker(self) -> Broker:
        return Broker(
            bootstrap_servers=str(self.stack["kafka"]), prefix=str(self.stack["topic_prefix"])
        )

    @property
    def service_token(self) -> str:
        return self.programs["wallet"].env["SERVICE_TOKEN"]

    @property
    def cells(self) -> Mapping[str, int]:
        """How many each service has; only the wallet is divided."""
        return {name: int(self.stack["cells"]) if name == "wallet" else 1 for name in SERVICES}

    def begin(self, service: str, role: str, name: str = "", port: int = 0, **env: str) -> str:
        """Start one more process of a service, on a port of its own; its name."""
        name = name or f"{service}-{role}"
        self._begin(service, role, name, port or free_port(), env)
        return name

    def _begin(
        self, service: str, role: str, name: str, port: int, env: Mapping[str, str] = {}
    ) -> None:
        found = self.programs[service]
        program = replace(
            found,
            name=name,
            command=[*found.command[:-1], role],
            log=self.checkout.log(name),
            env={**found.env, **env},
        )
        self.watchman.begin(program, port)

    def begin_all(self, layout: Layout) -> None:
        """The first process that answers HTTP gets the port that the others know."""
        for service, roles in layout.items():
            port = int(self.programs[service].env["PORT"])
            answering = next(n for n, role in enumerate(roles) if role in ("api", "all"))
            for n, role in enumerate(roles):
                name = service if role == "all" else f"{service}-{role}"
                if roles.index(role) != n:
                    name += f"-{n}"
                self._begin(service, role, name, port if n == answering else free_port())

    def named(self, service: str, *roles: str) -> list[str]:
        """Processes that run now, of a service, playing any of these roles."""
        return [
            name
            for name in self.watchman.names
            if (found := self.watchman[name].program.command)[-2] == service
            and found[-1] in (*roles, "all")
        ]

    async def command(self, service: str, *words: str, **env: str) -> tuple[int, str]:
        """Run a command of a service, as a clerk does; its exit code and what it said."""
        program = self.programs[service]
        running = await asyncio.create_subprocess_exec(
            *program.command[:-1],
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **program.env, **env},
            cwd=program.cwd,
        )
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                said, _ = await running.communicate()
        finally:
            if running.returncode is None:
                running.kill()
        assert running.returncode is not None
        return running.returncode, said.decode()

    async def rows(
        self, service: str, sql: str, *values: object, cell: int = 0
    ) -> list[asyncpg.Record]:
        """Ask a service's cell, the first unless another is named."""
        connection = await asyncpg.connect(
            self.databases[service], server_settings={"search_path": f"cell_{cell}"}
        )
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()


@contextmanager
def site_of(
    layout: Layout, *, databases: Databases, kafka: str, folder: Path, cells: int = 1, **env: str
) -> Iterator[Site]:
    """A town's processes, ready; `env` is for all of them. Nothing of it is left afterwards.

    `cells` is how many the wallet has.
    """
    checkout = Checkout(var=folder)
    prefix = f"t{uuid.uuid4().hex[:10]}."
    ports: set[int] = set()
    while len(ports) < len(SERVICES):
        ports.add(free_port())
    choice = Choice(
        ports=dict(zip(SERVICES, ports, strict=True)),
        postgres_port=None,
        kafka_port=None,
        cells=cells,
        empty_provinces=",".join(each for each in PROVINCES if each not in PLAYED),
        database_url=databases.admin_dsn,
        kafka=kafka,
        topic_prefix=prefix,
    )
    keys = Keys.ensure(checkout.keys)
    world.write_world(checkout)
    made: dict[str, str] = {}
    watchman = Watchman(folder / "faults")
    try:
        for service in SERVICES:
            template = databases.template(service, cells if service == "wallet" else 1)
            made[service] = databases.create(f"town_{service}", template)
        stack = {
            **{service: url(choice, service) for service in SERVICES},
            "kafka": kafka,
            "topic_prefix": prefix,
            "cells": cells,
            "databases": made,
            **world.for_stack_file(checkout, keys),
        }
        found = programs(checkout, choice, keys, made, kafka)
        site = Site(
            checkout=checkout,
            stack=stack,
            watchman=watchman,
            programs={each.name: replace(each, env={**each.env, **env}) for each in found},
        )
        site.begin_all(layout)
        watchman.await_ready()
        yield site
    finally:
        watchman.leave()
        for dsn in made.values():
            databases.drop(dsn)
        topics.delete(kafka, prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """`names` are what the tables of this test call people, relations, quotas and payments."""

    site: Site
    messenger: Messenger
    watcher: Watcher
    names: dict[str, Any] = field(default_factory=dict)

    @property
    def world(self) -> World:
        stack = self.site.stack
        return World(messenger=self.messenger, url=stack["sandbox"], gateway=stack["gateway"])

    def counter(self, kind: str = "pharmacy") -> Counter:
        """The first institution of a kind, the enabled one at Alar; or the one of this code."""
        found: Mapping[str, Any] = self.site.stack["institutions"]
        code = next(code for code, told in found.items() if kind in (told["kind"], code))
        private = Path(found[code]["private_key_file"]).read_bytes()
        key = signing_key(found[code]["key_id"], "ed25519", private)
        return Counter(world=self.world, code=code, key=key)

    async def tell(self, table: str) -> None:
        """Do what a table says, line by line; an error names its line."""
        await read_table(self, table)

    async def is_well(self) -> list[str]:
        """Every service's audits, then every invariant, once all that is under way has ended.

        What was looked at, in a line each.
        """
        results = await check_stack(
            self.site.stack,
            self.messenger.history,
            logs=self.site.checkout.log("any").parent,
            settled_seconds=SETTLED_SECONDS,
            closed=self.site.closed,
        )
        broken = [f"{each.id} {each.title_en}: {each.detail}" for each in results if not each.ok]
        assert {each.id for each in results} >= INVARIANTS
        assert not broken, "\n".join(broken)
        assert self.watcher.snapshots > 0
        assert not self.watcher.violations, self.watcher.violations
        found = await asyncio.gather(
            *(
                audit(dsn, self.site.cells[service], service_named(service).audits)
                for service, dsn in self.site.databases.items()
            )
        )
        assert not any(found), found
        return [
            *(f"{each.id} {each.title_en}: {each.detail}" for each in results),
            f"I3, I4 and I5 in {self.watcher.snapshots} snapshots meanwhile",
        ]


@asynccontextmanager
async def town_at(
    site: Site, *, patient: bool = False, evidence: Evidence | None = None
) -> AsyncIterator[Town]:
    """A test's own day at a site: watched all the time, and proved to be well when it ends.

    What was proved is told to `evidence`.
    """
    limits = httpx.Limits(max_connections=300, max_keepalive_connections=300)
    async with (
        httpx.AsyncClient(timeout=20, limits=limits, trust_env=False) as http,
        Watcher(site.databases["wallet"]) as watcher,
    ):
        town = Town(site=site, messenger=Messenger(http=http, patient=patient), watcher=watcher)
        yield town
        town.messenger.patient = True
        proved = await town.is_well()
        if evidence is not None:
            evidence.held += proved
        surprises = site.watchman.surprises()
        assert not surprises, "\n".join(surprises)
