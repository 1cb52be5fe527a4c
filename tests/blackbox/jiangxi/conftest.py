"""A stack whose sandbox leaves Jiangxi to somebody else, and the somebody else.

`make up` starts its processes, ports and databases of its own, on the servers of this test run.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.blackbox.jiangxi.people import Bearer, Counter, Platform
from tests.blackbox.jiangxi.province import JIANGXI, Province

ROOT = Path(__file__).parents[3]
VAR = ROOT / "var" / "jiangxi"
START_SECONDS = 420
SERVICES = ("GATEWAY", "RELATIONS", "WALLET", "SETTLEMENT", "SANDBOX")


@pytest.fixture(scope="package")
def platform(postgres_admin_dsn: str, kafka_bootstrap: str) -> Iterator[Platform]:
    # What an outer make or a developer's shell says of another stack is not for this one.
    kept = {
        name: value
        for name, value in os.environ.items()
        if "MAKE" not in name and name not in ("CELLS", "TOPIC_PREFIX")
    }
    servers = {"DATABASE_URL": postgres_admin_dsn, "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap}
    ports = zip(SERVICES, free_ports(len(SERVICES)), strict=True)
    moved = {f"{name}_PORT": str(port) for name, port in ports}
    env = {**kept, **servers, **moved, "GONGJI_VAR": str(VAR), "EMPTY_PROVINCES": JIANGXI}
    # A run that was killed left a stack behind, whose servers are gone.
    make("down", env)
    shutil.rmtree(VAR, ignore_errors=True)
    try:
        make("up", env)
        with requests.Session() as http:
            # A netrc file or a proxy of this machine has no say in what is signed.
            http.trust_env = False
            yield Platform(told=json.loads((VAR / "stack.json").read_text("utf-8")), http=http)
    finally:
        make("reset", env)


def free_ports(count: int) -> list[int]:
    """As many as are asked for, all of them different, below those of outgoing connections."""
    found: list[int] = []
    for port in range(31_000, 32_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no ports are free")


def make(target: str, env: dict[str, str]) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(ROOT), target],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
        env=env,
    )
    assert done.returncode == 0, f"make {target}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


@pytest.fixture(scope="package")
def province(platform: Platform) -> Iterator[Province]:
    with Province(platform.told["kafka"], platform.told["topic_prefix"]) as province:
        yield province


@pytest.fixture(scope="package")
def pharmacy(platform: Platform) -> Counter:
    return platform.counter("pharmacy")


@pytest.fixture(scope="package")
def hospital(platform: Platform) -> Counter:
    return platform.counter("hospital")


@pytest.fixture(scope="package")
def clerk(platform: Platform) -> Bearer:
    return platform.clerk("clearing")
