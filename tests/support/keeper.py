"""Keep one server for one test run: `python -m tests.support.keeper KIND FOLDER OWNER_PID`.

    owner dies, or SIGTERM --> the server is killed and its files are gone

A process of its own, so that a test run that is killed leaves nothing behind: the server is
tethered to the keeper, and the keeper watches the owner.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

import psutil

from deploy.local.jars import ensure_jars
from deploy.local.kafka import Broker
from deploy.local.ports import free_port
from deploy.local.postgres import FORGETFUL, Cluster
from deploy.local.program import Program, await_ready

ROOT = Path(__file__).parents[2]
READY_WITHIN_SECONDS = 90

DATED = {"track_commit_timestamp": "on"}
"""Durable, and it knows when each row was committed: what the benchmark measures from and to."""


MEMORY = Path("/dev/shm")
ROOM_BYTES = 6 << 30
DURABLE = "durable"


def in_memory(folder: Path) -> Path:
    """Where a server that may forget keeps its data: in memory, if there is plenty of it.

    Tests create and drop databases and topics all the time, and a file system that keeps its
    promises spends more on their files than a server does on what is in them.
    """
    try:
        roomy = shutil.disk_usage(MEMORY).free >= ROOM_BYTES <= psutil.virtual_memory().available
    except OSError:
        roomy = False
    return MEMORY / f"gongji-{folder.parent.name}" / folder.name if roomy else folder


def postgres(folder: Path, home: Path, settings: dict[str, str]) -> tuple[Program, dict[str, str]]:
    cluster = Cluster(
        data=home / "data",
        port=free_port(),
        log=folder / "postgres.log",
        settings=settings,
    )
    cluster.create()
    return cluster.program(), {"address": cluster.dsn}


def kafka(folder: Path, home: Path) -> tuple[Program, dict[str, str]]:
    broker = Broker(
        folder=home / "data",
        jars=ensure_jars(ROOT / "var" / "kafka-jars"),
        port=free_port(),
        controller_port=free_port(),
        log=folder / "kafka.log",
    )
    broker.create()
    return broker.program(), {"address": broker.bootstrap}


def prepare(kind: str, folder: Path, home: Path) -> tuple[Program, dict[str, str]]:
    if kind.endswith("kafka"):
        return kafka(folder, home)
    return postgres(folder, home, FORGETFUL if kind == "postgres" else DATED)


def leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def keep(kind: str, folder: Path, owner: psutil.Process) -> None:
    folder.mkdir(parents=True)
    home = folder if kind.startswith(DURABLE) else in_memory(folder)
    home.mkdir(parents=True, exist_ok=True)
    program, found = prepare(kind, folder, home)
    child = program.start()
    try:
        await_ready(program, child, READY_WITHIN_SECONDS)
        answer = folder.with_suffix(".starting")
        answer.write_text(json.dumps({**found, "pid": child.pid}))
        answer.rename(folder.with_suffix(".json"))
        owner.wait()
    finally:
        child.send_signal(signal.SIGKILL if kind.endswith("kafka") else signal.SIGQUIT)
        child.wait()
        for left in (home, folder):
            shutil.rmtree(left, ignore_errors=True)
        folder.with_suffix(".json").unlink(missing_ok=True)
        for run in (home.parent, folder.parent):
            with contextlib.suppress(OSError):
                run.rmdir()  # by whoever is last


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    keep(sys.argv[1], Path(sys.argv[2]), psutil.Process(int(sys.argv[3])))
