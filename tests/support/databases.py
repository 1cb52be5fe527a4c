"""A fresh database in milliseconds: cloned from a template that was migrated once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import asyncpg
from filelock import FileLock

from deploy.local.postgres import named
from kit.postgres import Pool
from tests.support.keeper import ROOT
from tests.support.servers import FOLDER, VARIABLE, run_name

Result = TypeVar("Result")


class Databases:
    """Creates databases on one server and drops them again; usable with or without a loop."""

    def __init__(self, admin_dsn: str) -> None:
        self.admin_dsn = admin_dsn

    def create(self, hint: str, template: str = "template0") -> str:
        """The DSN of a new database."""
        name = f"test_{plain(hint)[:30]}_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return named(self.admin_dsn, name)

    def drop(self, dsn: str) -> None:
        """Also while somebody is connected."""
        name = dsn_name(dsn)
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def template(self, service: str, cells: int) -> str:
        """The name of a database that `python -m <service> migrate` was run on, once a run."""
        name = f"tpl_{service}_{cells}_{migrations_digest(service)}_{run_name()}"
        folder = FOLDER / os.environ[VARIABLE]
        folder.mkdir(parents=True, exist_ok=True)
        server = hashlib.sha256(self.admin_dsn.encode()).hexdigest()[:8]
        made = folder / f"{name}.{server}.made"
        with FileLock(made.with_suffix(".lock")):
            if not made.exists():
                self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
                migrate(service, named(self.admin_dsn, name), cells)
                made.touch()
        return name

    def drop_all_of_this_run(self) -> None:
        """Templates stay for the whole run; a server that outlives it must be left clean."""
        pattern = f"tpl\\_%\\_{run_name().replace('_', chr(92) + '_')}"
        names = blocking(
            self.fetch("SELECT datname FROM pg_database WHERE datname LIKE $1", pattern)
        )
        for name in names:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        blocking(self.run(statement))

    async def run(self, statement: str) -> None:
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def fetch(self, statement: str, *arguments: object) -> list[str]:
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            return [row[0] for row in await connection.fetch(statement, *arguments)]
        finally:
            await connection.close()


async def connected(pool: Pool) -> Pool:
    """The pool with all its connections open, so that a race is not one to open them."""
    lent = [await pool.acquire() for _ in range(pool.get_max_size())]
    for each in lent:
        await pool.release(each)
    return pool


def blocking(work: Coroutine[Any, Any, Result]) -> Result:
    """Run it in a thread of its own: the caller may or may not be inside an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def plain(hint: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", hint.lower()).strip("_") or "x"


def dsn_name(dsn: str) -> str:
    return dsn.partition("?")[0].rpartition("/")[2]


def migrations_digest(service: str) -> str:
    digest = hashlib.sha256()
    folders = [
        ROOT / "services" / service / "migrations",
        ROOT / service / "migrations",
        ROOT / "libs" / "kit" / "schema",
    ]
    for file in sorted(each for folder in folders for each in folder.glob("**/*.sql")):
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:8]


def migrate(service: str, dsn: str, cells: int) -> None:
    env = {**os.environ, "DATABASE_URL": dsn, "CELLS": str(cells)}
    done = subprocess.run(
        [sys.executable, "-m", service, "migrate"],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    if done.returncode:
        raise RuntimeError(f"{service} did not migrate:\n{done.stdout}{done.stderr}")
