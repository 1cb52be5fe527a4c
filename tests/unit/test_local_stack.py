"""`make up` and its kin: the supervisor on stand-ins that only say that they are ready."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from contracts.vocabulary import PROVINCES as CONTRACT_PROVINCES
from deploy.local.checkout import Checkout
from deploy.local.choice import SERVICES, Choice, NotUnderstood, port_variable
from deploy.local.keys import PROVINCES
from deploy.local.ports import free_port

STAND_IN = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if sys.argv[1] == "scenario":
    sys.exit(int(os.environ.get("VERDICT", "0")))
if os.environ.get("BROKEN") == __file__.rpartition("/")[2]:
    sys.exit("no key to my door")


class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Ready).serve_forever()
"""


class Stack:
    """A stack in a folder of its own, spoken to as a person would: by commands."""

    def __init__(self, folder: Path, **variables: str) -> None:
        rooms = folder / "rooms"
        rooms.mkdir(parents=True)
        for service in SERVICES:
            (rooms / f"{service}.py").write_text(STAND_IN)
        self.var = folder / "var"
        self.env = {
            **{key: value for key, value in os.environ.items() if key not in FOREIGN},
            **{port_variable(service): str(free_port()) for service in SERVICES},
            **variables,
            "GONGJI_VAR": str(self.var),
            "PYTHONPATH": str(rooms),
        }

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deploy.local", *arguments],
            env={**self.env, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    def do(self, *arguments: str, **variables: str) -> str:
        done = self(*arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def file(self) -> dict[str, Any]:
        content = json.loads((self.var / "stack.json").read_text())
        assert isinstance(content, dict)
        return content

    @property
    def pids(self) -> dict[str, int]:
        return {str(name): int(pid) for name, pid in self.file["pids"].items()}

    def supervisor(self) -> int:
        return int(json.loads((self.var / "supervisor.json").read_text())["pid"])

    def is_ready(self, name: str) -> bool:
        state = json.loads((self.var / "supervisor.json").read_text())
        return bool(state["children"][name]["state"] == "ready")


FOREIGN = {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "TOPIC_PREFIX", "CELLS", "EMPTY_PROVINCES"}


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """With a PostgreSQL and a Kafka of its own."""
    # Not under pytest's folder, which each other run of pytest closes to PostgreSQL's user.
    with TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        yield stack
        stack("down")


@pytest.fixture
def shared(tmp_path: Path, postgres_admin_dsn: str, kafka_bootstrap: str) -> Iterator[Stack]:
    """On servers that are there already."""
    stack = Stack(
        tmp_path, DATABASE_URL=postgres_admin_dsn, KAFKA_BOOTSTRAP_SERVERS=kafka_bootstrap
    )
    yield stack
    stack("reset")


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time given"
        time.sleep(0.05)


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_the_stack_file_says_what_the_contract_says(own: Stack) -> None:
    own.do("up")
    told = own.file

    for service in SERVICES:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", told[service])
    assert set(told["databases"]) == set(SERVICES)
    assert set(told["pids"]) == {*SERVICES, "postgres", "kafka"}
    assert all(psutil.pid_exists(pid) for pid in told["pids"].values())
    assert load_pem_public_key(told["gateway_public_key"].encode())
    assert {"clearing", "audit", "prefund"} <= set(told["clerks"])
    assert len(told["province_keys"]) == 32
    for kind, letter in (("hospital", "H"), ("pharmacy", "P")):
        code, first = next(pair for pair in told["institutions"].items() if pair[1]["kind"] == kind)
        assert re.fullmatch(letter + r"\d{11}", code)
        assert (first["mdtrtarea_admvs"], first["algorithm"]) == ("659002", "ed25519")
        key = load_pem_private_key(Path(first["private_key_file"]).read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        assert Path(first["private_key_file"]).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["wallet", "postgres", "kafka"])
def test_what_is_killed_comes_back(own: Stack, name: str) -> None:
    own.do("up")
    before = own.pids

    os.kill(before[name], signal.SIGKILL)

    until(lambda: own.pids[name] != before[name] and own.is_ready(name))
    assert {**own.pids, name: 0} == {**before, name: 0}


def test_up_twice_is_up_once_and_a_restart_concerns_one_process(own: Stack) -> None:
    own.do("up")
    before = own.pids
    own.do("up")
    assert own.pids == before
    own.do("restart", "relations")
    after = own.pids
    assert after["relations"] != before["relations"]
    assert {**after, "relations": 0} == {**before, "relations": 0}

    refused = own("restart", "wallets")
    assert refused.returncode == 1
    assert "wallets" in refused.stderr


def test_down_leaves_no_process_and_forgets_nothing(own: Stack) -> None:
    own.do("up")
    keys, everybody = own.file["province_keys"], [*own.pids.values(), own.supervisor()]

    own.do("down")

    assert all(is_gone(pid) for pid in everybody)
    assert not (own.var / "stack.json").exists()
    own.do("up")
    assert own.file["province_keys"] == keys
    own.do("reset")
    assert not any((own.var / name).exists() for name in ("pgdata", "kafka", "sandbox"))


def test_nobody_outlives_a_killed_supervisor(shared: Stack) -> None:
    shared.do("up")
    orphans = shared.pids

    os.kill(shared.supervisor(), signal.SIGKILL)

    until(lambda: all(is_gone(pid) for pid in orphans.values()))
    shared.do("up")
    assert set(shared.pids) == set(SERVICES)


def test_a_busy_port_is_named_with_its_variable(shared: Stack) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        refused = shared("up", WALLET_PORT=port)
    assert refused.returncode == 1
    assert port in refused.stderr
    assert "WALLET_PORT" in refused.stderr
    assert not (shared.var / "supervisor.json").exists()


def test_a_service_that_cannot_start_says_why(shared: Stack) -> None:
    refused = shared("up", BROKEN="settlement.py")
    assert refused.returncode == 1
    assert "no key to my door" in refused.stderr
    assert shared("status").returncode == 1


async def test_servers_of_others_are_left_as_they_were(
    shared: Stack, postgres_admin_dsn: str
) -> None:
    shared.do("up")
    told = shared.file
    mark = Checkout(var=shared.var.resolve()).mark
    connection = await asyncpg.connect(postgres_admin_dsn)
    ours = "SELECT count(*) FROM pg_database WHERE datname LIKE '%' || $1 || '%'"
    try:
        assert set(told["pids"]) == set(SERVICES)
        assert mark in told["topic_prefix"]
        assert all(mark in dsn for dsn in told["databases"].values())
        assert await connection.fetchval(ours, mark) == len(SERVICES)
        shared.do("reset")
        assert await connection.fetchval(ours, mark) == 0
    finally:
        await connection.close()


def test_other_wishes_start_it_anew_but_the_cells_are_fixed(shared: Stack) -> None:
    shared.do("up", CELLS="2")
    before = shared.pids
    shared.do("up", CELLS="2", EMPTY_PROVINCES="360000")
    assert not set(shared.pids.values()) & set(before.values())

    refused = shared("up", CELLS="4")
    assert refused.returncode == 1
    assert "make reset" in refused.stderr


def test_every_province_has_a_key() -> None:
    assert set(PROVINCES) == set(CONTRACT_PROVINCES)


def test_run_ends_with_the_verdict_of_the_story(shared: Stack) -> None:
    assert shared("run", VERDICT="3").returncode == 3
    assert shared("status").returncode == 1, "what it brought up, it took down"


def test_run_leaves_a_running_stack_alone(shared: Stack) -> None:
    shared.do("up")
    before = shared.pids
    assert shared("run").returncode == 0
    assert shared.pids == before


@pytest.mark.parametrize(
    "variables",
    [
        {"GATEWAY_PORT": "eighty"},
        {"GATEWAY_PORT": "70000"},
        {"GATEWAY_PORT": "8081"},
        {"CELLS": "0"},
        {"EMPTY_PROVINCES": "360000,000000"},
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(NotUnderstood):
        Choice.read(Checkout.here(), variables)
