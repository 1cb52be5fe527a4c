"""Every command of README, quick starts and operations that is for a local stack, run on one.

A folder of links to the checkout stands in for it, so that its `var` is not that of a stack that
somebody has running; servers and ports are those of this test run.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.fences import ROOT, script

HERE = ROOT / "var" / "docs"
SECONDS = 500
SERVICES = ("GATEWAY", "RELATIONS", "WALLET", "SETTLEMENT", "SANDBOX")


@pytest.fixture(scope="module")
def env(postgres_admin_dsn: str, kafka_bootstrap: str) -> dict[str, str]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in SERVICES]
    ports = {
        f"{name}_PORT": str(probe.getsockname()[1])
        for name, probe in zip(SERVICES, probes, strict=True)
    }
    for probe in probes:
        probe.close()
    not_for_this = ("CELLS", "TOPIC_PREFIX", "EMPTY_PROVINCES", "GONGJI_VAR", "STACK")
    kept = {
        name: value
        for name, value in os.environ.items()
        if "MAKE" not in name and name not in not_for_this
    }
    servers = {"DATABASE_URL": postgres_admin_dsn, "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap}
    return {**kept, **servers, **ports}


@pytest.fixture(scope="module")
def checkout(env: dict[str, str]) -> Iterator[Path]:
    HERE.mkdir(parents=True, exist_ok=True)
    for path in ROOT.iterdir():
        if path.name not in ("var", ".git") and not (HERE / path.name).is_symlink():
            (HERE / path.name).symlink_to(path)
    # A run that was killed left a stack behind, whose servers are gone.
    run("make down", HERE, env)
    shutil.rmtree(HERE / "var")
    yield HERE
    run("make reset", HERE, env)


def run(text: str, here: Path, env: dict[str, str]) -> str:
    """What a script printed; it and all that it started have ended, and well."""
    process = subprocess.Popen(
        ["bash", "-c", text],
        cwd=here,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        told, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        told, _ = process.communicate()
        raise AssertionError(f"not over within {SECONDS} s:\n{told[-3000:]}") from None
    assert process.returncode == 0, told[-3000:]
    return told


@pytest.mark.timeout(3 * SECONDS)
@pytest.mark.parametrize(
    "path",
    [
        "docs/quickstart-province.md",
        "docs/quickstart-institution.md",
        "docs/operations.md",
        "README.md",
    ],
)
def test_every_command_does_what_it_says(path: str, checkout: Path, env: dict[str, str]) -> None:
    assert run(script(path), checkout, env).endswith("== the end\n")
