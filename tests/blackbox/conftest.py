"""The stack that the stories are told on: one that runs, or one brought up for them.

`STACK` names a stack's file, var/stack.json by default. Where none runs `make up` brings up one of
their own, and `make reset` takes it down once the last test process is done with it.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from filelock import FileLock

from tests.blackbox.bus import Bus
from tests.blackbox.stack import Stack, read_stack
from tests.blackbox.world import Counter, Family, World

ROOT = Path(__file__).parents[2]
OWN = ROOT / "var" / "blackbox"
"""Where the stack of these tests keeps its data: apart from what somebody tries out by hand."""
START_SECONDS = 420
PORTS = {"gateway": 8080, "relations": 8081, "wallet": 8082, "settlement": 8083, "sandbox": 8090}
"""Where a stack is unless it is told otherwise; somebody else's may be there already."""
ELSEWHERE = 30_000


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """The running stack; brought up by the first process that needs it, if nobody runs one."""
    named = os.environ.get("STACK")
    if named and not Path(named).exists():
        pytest.skip(f"STACK={named}: there is no such file; `make up` writes var/stack.json")
    running = Path(named or ROOT / "var" / "stack.json")
    if named or runs(running):
        yield read_stack(running)
        return
    OWN.mkdir(parents=True, exist_ok=True)
    users, lock = OWN / "users", FileLock(OWN.with_suffix(".lock"))
    with lock:
        if not runs(OWN / "stack.json"):
            make("reset")
            make("up")
            users.write_text("0")
        users.write_text(str(int(users.read_text()) + 1))
    try:
        yield read_stack(OWN / "stack.json")
    finally:
        with lock:
            left = int(users.read_text()) - 1
            users.write_text(str(left))
            if left == 0:
                make("reset")


def runs(path: Path) -> bool:
    """Whether the stack of this file answers."""
    if not path.exists():
        return False
    found = read_stack(path)
    try:
        answers = [
            httpx.get(f"{found.url(name)}/healthz", timeout=5, trust_env=False)
            for name in ("gateway", "sandbox")
        ]
    except httpx.HTTPError:
        return False
    return all(answer.status_code == 200 for answer in answers)


def make(target: str) -> None:
    command = ["make", "--no-print-directory", "-C", str(ROOT), target]
    # Flags of an outer make (its job server) are not for this one.
    env = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    env["GONGJI_VAR"] = str(OWN)
    for number, (service, port) in enumerate(PORTS.items()):
        if not is_free(port):
            env.setdefault(f"{service.upper()}_PORT", str(a_free_port(number)))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=START_SECONDS, check=False, env=env
    )
    assert done.returncode == 0, f"make {target}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def a_free_port(number: int) -> int:
    """Of a range of this number's own, below the ports of outgoing connections."""
    first = ELSEWHERE + 100 * number
    return next(port for port in range(first, first + 100) if is_free(port))


@pytest.fixture(scope="package")
def world(stack: Stack) -> Iterator[World]:
    limits = httpx.Limits(max_connections=80, max_keepalive_connections=80)
    with httpx.Client(timeout=15, limits=limits, trust_env=False) as http:
        yield World(stack=stack, http=http)


@pytest.fixture(scope="package")
def pharmacy(world: World) -> Counter:
    return world.counter("pharmacy")


@pytest.fixture(scope="package")
def hospital(world: World) -> Counter:
    return world.counter("hospital")


@pytest.fixture
def family(world: World) -> Family:
    """A family of the test's own, with 1 000.00 yuan spendable."""
    return world.family()


@pytest.fixture(scope="module")
def untouched(world: World) -> Family:
    """A family whose quota no test of the module may change: all they do is refused."""
    return world.family()


@pytest.fixture(scope="package")
def bus(stack: Stack) -> Iterator[Bus]:
    with Bus(stack.bootstrap, stack.topic_prefix) as bus:
        yield bus
