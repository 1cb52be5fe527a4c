"""Each rule is switched off once, in a copy of the tree, to see that its tests fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tidy import rules
from tests.tidy.source import ROOT, tracked
from tests.tidy.test_repository import BUILT

COPIED = ("services/", "libs/", "sandbox/", "deploy/", "tests/", "pyproject.toml")
ROOTS = (".", "libs", *(f"services/{path.name}/src" for path in (ROOT / "services").iterdir()))
TESTS_FAILED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A change of one place in the code that switches a rule off."""

    rule: str
    file: str
    source: str
    replacement: str
    tests: tuple[str, ...]

    def applied_to(self, text: str) -> str:
        assert text.count(self.source) == 1, f"{self.file} has this {text.count(self.source)} times"
        return text.replace(self.source, self.replacement)


def read_mutations() -> list[Mutation]:
    path = ROOT / "tests" / "mutations.yaml"
    listed: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Mutation(**{**each, "tests": tuple(each["tests"])}) for each in listed]


MUTATIONS = read_mutations()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree that may be broken."""
    folder = tmp_path_factory.mktemp("tree")
    for path in tracked():
        if path.startswith(COPIED):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
    return folder


def run(copy: Path, tests: list[str], postgres: str) -> subprocess.CompletedProcess[str]:
    """Run tests of the copy, with its code before ours on the path."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "GONGJI", "COV"))
    }
    # Plugins that these tests do without take longer to load than the tests themselves.
    plugins = ["-p", "pytest_asyncio.plugin", "-p", "pytest_timeout", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-rf", *plugins, *tests]
    return subprocess.run(
        command,
        cwd=copy,
        env={
            **inherited,
            "PYTHONPATH": os.pathsep.join(str(copy / root) for root in ROOTS),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "DATABASE_URL": postgres,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def test_without_a_mutation_they_pass(copy: Path, postgres_admin_dsn: str) -> None:
    tests = sorted({test for mutation in MUTATIONS for test in mutation.tests})
    # Of those on a database one is enough: they all run in their own files, too.
    on_a_database = [test for test in tests if test.startswith("tests/service/")]
    tests = [test for test in tests if test not in on_a_database[1:]]
    done = run(copy, tests, postgres_admin_dsn)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(
    "mutation", MUTATIONS, ids=[f"{each.rule}-{Path(each.file).stem}" for each in MUTATIONS]
)
def test_a_rule_that_is_switched_off_is_missed(
    mutation: Mutation, copy: Path, postgres_admin_dsn: str
) -> None:
    path = copy / mutation.file
    whole = path.read_text(encoding="utf-8")
    path.write_text(mutation.applied_to(whole), encoding="utf-8")
    try:
        done = run(copy, list(mutation.tests), postgres_admin_dsn)
    finally:
        path.write_text(whole, encoding="utf-8")
    assert done.returncode == TESTS_FAILED, done.stdout[-3000:]
    failed = set(re.findall(r"^FAILED ([^\s\[]+)", done.stdout, re.MULTILINE))
    assert failed == set(mutation.tests), done.stdout[-3000:]


def test_the_tests_of_a_mutation_are_marked_with_its_rule() -> None:
    held = {(each.rule, f"{each.path}::{each.name}") for each in rules.marks()}
    unmarked = {
        (mutation.rule, test)
        for mutation in MUTATIONS
        for test in mutation.tests
        if (mutation.rule, test) not in held
    }
    assert not unmarked


def test_each_rule_that_is_built_is_switched_off_once() -> None:
    assert BUILT - {mutation.rule for mutation in MUTATIONS} == set()
