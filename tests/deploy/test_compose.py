"""The stack in containers: as careful as the cluster, with keys that lie in no repository."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import uuid
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import yaml

from deploy.compose.__main__ import make
from deploy.local.checkout import ROOT
from deploy.local.postgres import binaries, named
from tests.deploy.closure import PROGRAMS

COMPOSE = ROOT / "deploy" / "compose.yaml"
SETTINGS = dict.fromkeys(PROGRAMS, "Settings") | {"sandbox": "SandboxSettings"}

every_program = pytest.mark.parametrize("program", PROGRAMS)


def compose() -> dict[str, Any]:
    found = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def interpolated(text: str, variables: dict[str, str]) -> str:
    """As compose does it: ${NAME:-default}, and ${NAME:?why} which must be there."""
    innermost = re.compile(r"\$\{(\w+):([-?])([^${}]*)\}")

    def value(found: re.Match[str]) -> str:
        name, how, rest = found.groups()
        assert name in variables or how == "-", f"{name}: {rest}"
        return variables.get(name) or rest

    while innermost.search(text):
        text = innermost.sub(value, text)
    assert "${" not in text
    return text


def made(folder: Path) -> dict[str, str]:
    lines = make(folder).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


@every_program
def test_a_container_can_do_nothing_but_its_work(program: str) -> None:
    found = compose()["services"][program]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert "/readyz" in found["healthcheck"]["test"][-1]
    assert found["build"]["dockerfile"] == f"{PROGRAMS[program]}/Dockerfile"


def test_only_the_door_and_the_outside_world_are_published_and_here_alone() -> None:
    published = {
        name: each["ports"] for name, each in compose()["services"].items() if "ports" in each
    }
    assert published.keys() == {"gateway", "sandbox"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert compose()["networks"]["inside"] == {"internal": True}
    assert all("inside" in each["networks"] for each in compose()["services"].values())


def test_images_of_others_have_a_version() -> None:
    for name in ("postgres", "kafka"):
        assert re.search(r":\d", compose()["services"][name]["image"])


@every_program
def test_a_program_finds_every_setting_that_it_needs(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = getattr(import_module(f"{program}.settings"), SETTINGS[program])
    told = compose()["services"][program]["environment"]
    variables = made(tmp_path) | {"CELLS": "3"}
    for field in settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    for key, value in told.items():
        monkeypatch.setenv(key, interpolated(value, variables))
    found = settings()
    assert found.cells == 3
    assert getattr(found, "wallet_cells", 3) == 3
    assert urlsplit(found.database_url).username == program
    assert urlsplit(found.database_url).path == f"/{program}"
    assert (found.host, found.port) == ("0.0.0.0", 8080)


@every_program
def test_what_is_mounted_is_made_and_the_container_may_read_it(
    program: str, tmp_path: Path
) -> None:
    made(tmp_path)
    found = compose()["services"][program]
    mounted = {each["target"]: each["source"] for each in found["volumes"]}
    for target, source in mounted.items():
        if source.startswith("../var/compose/"):
            file = tmp_path / source.removeprefix("../var/compose/")
            assert file.stat().st_mode & stat.S_IROTH, target
        else:
            assert (COMPOSE.parent / source).exists(), target
    for key, value in found["environment"].items():
        if key.endswith("_FILE"):
            assert value in mounted, key


def test_keys_are_made_once_and_shown_to_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "compose"
    first = made(folder)
    assert made(folder) == first
    assert folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) == 0
    assert made(tmp_path / "another").keys() == first.keys()
    assert not set(made(tmp_path / "another").values()) & set(first.values())
    assert len(set(first.values())) == len(first)


@pytest.fixture
def two_owners(postgres_admin_dsn: str) -> Iterator[tuple[str, str]]:
    """Names of databases that are made as the container of PostgreSQL makes them."""
    names = tuple(f"compose_{which}_{uuid.uuid4().hex[:8]}" for which in ("one", "two"))
    server = urlsplit(postgres_admin_dsn)
    environment = {
        **os.environ,
        "PATH": f"{binaries()}:{os.environ['PATH']}",
        "PGHOST": str(server.hostname),
        "PGPORT": str(server.port or 5432),
        "PGPASSWORD": server.password or "",
        "POSTGRES_USER": str(server.username),
        "POSTGRES_PASSWORD": "it's a secret",
        "DATABASES": " ".join(names),
    }
    script = str(COMPOSE.parent / "compose" / "databases.sh")
    subprocess.run([script], env=environment, check=True, capture_output=True, timeout=60)
    yield names[0], names[1]
    drops = [f"DROP {what} {name}" for what in ("DATABASE", "ROLE") for name in names]
    command = [str(binaries() / "psql"), "-d", "postgres", "-U", str(server.username)]
    for drop in drops:
        subprocess.run([*command, "-c", drop], env=environment, check=True, capture_output=True)


async def test_each_program_owns_its_database_and_enters_no_other(
    two_owners: tuple[str, str], postgres_admin_dsn: str
) -> None:
    one, two = two_owners
    ours = await asyncpg.connect(named(postgres_admin_dsn, one), user=one, password="it's a secret")
    await ours.execute("CREATE SCHEMA cell_0; CREATE TABLE cell_0.thing (id int)")
    await ours.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(named(postgres_admin_dsn, two), user=one, password="it's a secret")
