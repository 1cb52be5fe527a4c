"""An image holds its program, the libs and distributions that it reaches, and nothing else."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from deploy.local.checkout import ROOT
from tests.deploy import closure

every_program = pytest.mark.parametrize("program", closure.PROGRAMS)


def dockerfile(program: str) -> str:
    return (ROOT / closure.PROGRAMS[program] / "Dockerfile").read_text(encoding="utf-8")


def lock_of(program: str) -> dict[str, str]:
    text = (ROOT / closure.PROGRAMS[program] / "requirements.lock").read_text(encoding="utf-8")
    return closure.locked(text)


def copied(text: str) -> dict[str, str]:
    """What is copied from the repository → where to in the image."""
    return dict(re.findall(r"(?m)^COPY (?!--)(\S+) (\S+)$", text))


def pattern(program: str) -> str:
    """A program's Dockerfile without its names and libs: what it shares with all others."""
    home = closure.PROGRAMS[program]
    sources = f"/srv/gongji/{home}/src" if home.startswith("services/") else "/srv/gongji"
    text = re.sub(r"(?m)^COPY libs/.*\n", "", dockerfile(program))
    text = text.replace(f"PYTHONPATH={sources}:", "PYTHONPATH=SOURCES:")
    return re.sub(rf"\b{program}\b", "PROGRAM", text.replace(home, program))


@every_program
def test_all_images_are_made_alike(program: str) -> None:
    assert pattern(program) == pattern("wallet")


def test_the_pattern_is_of_a_careful_image() -> None:
    text = dockerfile("wallet")
    base, *stages = re.findall(r"(?m)^(?:ARG BASE=|FROM )(.*)$", text)
    assert not base.endswith(":latest")
    assert ":" in base
    assert "/" not in base, "no registry is named"
    assert stages == ["${BASE} AS build", "${BASE}"]
    last = text.rpartition("FROM ")[2]
    assert "RUN" not in last, "nothing is built in what runs"
    [user] = re.findall(r"(?m)^USER (\d+):\d+$", last)
    assert int(user) > 0
    assert "--require-hashes" in text


@every_program
def test_an_image_has_the_libs_that_its_program_imports(program: str) -> None:
    libs = {
        source.removeprefix("libs/")
        for source in copied(dockerfile(program))
        if source.startswith("libs/")
    }
    assert sorted(libs) == closure.libs_of(program)


@every_program
def test_a_program_declares_what_it_and_its_libs_import(program: str) -> None:
    assert closure.declared(program) == closure.imported(program)


@every_program
def test_a_programs_lock_is_its_closure_out_of_ours(program: str) -> None:
    """As many distributions as it needs, each word for word as all of ours are locked."""
    ours = closure.locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    own = lock_of(program)
    assert own.keys() == closure.with_what_they_need(closure.declared(program)), "run `make lock`"
    assert {name: ours.get(name) for name in own} == own, "run `make lock`"


def built(program: str, folder: Path) -> dict[str, str]:
    """The image's file system by its Dockerfile, as links; its environment."""
    text = dockerfile(program)
    for source, target in copied(text).items():
        link = folder / target.removeprefix("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT / source)
    site = folder / "srv/site"
    site.mkdir()
    for name in lock_of(program):
        found = distribution(name)
        for top in {path.parts[0] for path in found.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(str(found.locate_file(top)))
    environment = dict(re.findall(r"(\w+)=(\S+)", text.rpartition("\nENV ")[2].split("\nUSER")[0]))
    return {name: value.replace("/srv/", f"{folder}/srv/") for name, value in environment.items()}


@every_program
def test_a_program_starts_on_what_its_image_holds(program: str, tmp_path: Path) -> None:
    """As far as its settings: it has none, and says so."""
    environment = built(program, tmp_path)
    entry = re.findall(r"(?m)^ENTRYPOINT \[(.*)\]$", dockerfile(program))[0].replace(",", " ")
    python, *arguments = shlex.split(entry)
    assert python == "python3"
    started = subprocess.run(
        [sys.executable, "-S", *arguments, "api"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert started.stderr.startswith("settings: database_url"), started.stderr
    assert started.returncode == 1
