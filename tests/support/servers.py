"""One PostgreSQL and one Kafka for a whole test run, shared by its workers, started when asked for.

DATABASE_URL (an admin DSN) and KAFKA_BOOTSTRAP_SERVERS name servers that are there already.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from filelock import FileLock

from deploy.local.program import tail
from tests.support.keeper import MEMORY, READY_WITHIN_SECONDS, ROOT

FOLDER = ROOT / "var" / "tests"
VARIABLE = "GONGJI_TEST_RUN"


def begin() -> None:
    """Name this run, for its workers to inherit, and sweep up after runs that were killed."""
    for left in [*FOLDER.glob("run-*"), *MEMORY.glob("gongji-run-*")]:
        if not is_alive(left.name.removeprefix("gongji-")):
            shutil.rmtree(left, ignore_errors=True)
    owner = psutil.Process()
    os.environ[VARIABLE] = f"run-{owner.pid}-{int(owner.create_time())}"


def end() -> None:
    """Stop what this run started. Returns when it is gone."""
    folder = FOLDER / os.environ.pop(VARIABLE)
    keepers = [int(each.read_text()) for each in folder.glob("*.keeper")]
    for pid in keepers:
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            os.kill(pid, signal.SIGTERM)
    for pid in keepers:
        if psutil.pid_exists(pid):
            psutil.Process(pid).wait(15)
    shutil.rmtree(folder, ignore_errors=True)


def is_alive(run: str) -> bool:
    _, pid, created = run.split("-")
    try:
        return int(psutil.Process(int(pid)).create_time()) == int(created)
    except psutil.NoSuchProcess:
        return False


def run_name() -> str:
    """Unique on this machine, the same in all workers of a run; fit for names of databases."""
    return os.environ[VARIABLE].removeprefix("run-").replace("-", "_")


def address(kind: str) -> str:
    """Where this run's `postgres`, `durable` (a PostgreSQL with fsync), `kafka` or `durable-kafka`
    answers; what is not durable keeps its data in memory."""
    folder = FOLDER / os.environ[VARIABLE]
    folder.mkdir(parents=True, exist_ok=True)
    found = folder / f"{kind}.json"
    with FileLock(folder / f"{kind}.lock"):
        if not found.exists():
            start(kind, folder, found)
    answer = json.loads(found.read_text())["address"]
    assert isinstance(answer, str)
    return answer


def start(kind: str, folder: Path, found: Path) -> None:
    owner = os.environ[VARIABLE].split("-")[1]
    log = folder / f"{kind}.log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.support.keeper", kind, str(folder / kind), owner],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            start_new_session=True,
        )
    (folder / f"{kind}.keeper").write_text(str(keeper.pid))
    deadline = time.monotonic() + 2 * READY_WITHIN_SECONDS  # the jars may have to come first
    while not found.exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no {kind} for the tests:\n{tail(log)}")
        time.sleep(0.05)
