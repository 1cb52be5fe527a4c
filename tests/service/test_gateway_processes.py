"""Two gateways of real processes on one database: a nonce is used once, restarts included."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx

from tests.conftest import MigratedDatabase
from tests.support.gateway import PUBLIC, Counter, refused, settings_of
from tests.support.gateway_neighbours import Keys
from tests.support.keeper import ROOT

PATH = f"/v1/payments/{uuid4()}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


def environment(dsn: str, keys: Keys, folder: Path) -> dict[str, str]:
    nobody = "http://127.0.0.1:1"
    settings = settings_of(
        dsn, keys, folder, wallet_url=nobody, relations_url=nobody, jwks_url=nobody
    )
    told = settings.model_dump(mode="json", exclude_none=True)
    return {**os.environ, **{name.upper(): str(value) for name, value in told.items()}}


@contextmanager
def gateway(env: dict[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A gateway that answers on `port`; killed at the end, if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "api"], env={**env, "PORT": str(port)}, cwd=ROOT
    )
    try:
        deadline = time.monotonic() + 20
        while not alive(port):
            assert process.poll() is None, "the gateway has ended"
            assert time.monotonic() < deadline, "the gateway does not answer"
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait(10)


def alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


async def test_a_nonce_is_used_once_over_processes_and_restarts(
    migrated_database: MigratedDatabase, tmp_path: Path
) -> None:
    keys = Keys.generate()
    env = environment(migrated_database("gateway"), keys, tmp_path)
    first, second = free_port(), free_port()
    async with httpx.AsyncClient(trust_env=False) as client:
        counter = Counter(client=client, keys=keys)

        async def deliver(port: int, headers: dict[str, str]) -> httpx.Response:
            return await counter.deliver("GET", f"http://127.0.0.1:{port}{PATH}", headers)

        with ExitStack() as stack:
            killed = stack.enter_context(gateway(env, first))
            stopped = stack.enter_context(gateway(env, second))
            used = counter.headers("GET", PATH)
            # Admitted, and then nobody plays the wallet.
            refused(await deliver(first, used), "unavailable", 503)
            refused(await deliver(second, used), "signature-replayed", 401)

            raced = [counter.headers("GET", PATH) for _ in range(40)]
            tries = [deliver(port, headers) for headers in raced for port in (first, second)]
            codes = [answer.json()["code"] for answer in await asyncio.gather(*tries)]
            assert sorted(codes) == ["signature-replayed"] * 40 + ["unavailable"] * 40

            killed.kill()
            stopped.send_signal(signal.SIGTERM)
            assert stopped.wait(15) == 0, "it drains and ends well"
        with gateway(env, first):
            for headers in (used, *raced[:3]):
                refused(await deliver(first, headers), "signature-replayed", 401)
            refused(await deliver(first, counter.headers("GET", PATH)), "unavailable", 503)
    assert counter.public == PUBLIC
