"""A fault test has to show that its fault happened; the report says so of every fault."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.fault_evidence import MATRIX
from tests.support.places import ROOT

MARK = re.compile(r'mark\.fault\("(F\d\d)"\)')
NOT_CAUSED_YET = {"F02", "F08", "F12", "F15", "F17"}
TESTS = """
import pytest

@pytest.mark.fault("F03")
def test_that_shows_it(fault_evidence):
    fault_evidence.tell("The broker was killed.")
    fault_evidence.saw("its process", 4711)
    fault_evidence.holds("all of it")

@pytest.mark.fault("F05")
def test_that_shows_nothing():
    pass

@pytest.mark.fault("F05")
def test_that_saw_it_happen_no_times(fault_evidence):
    fault_evidence.saw("kills", 0)

@pytest.mark.fault("F06")
def test_that_cannot_be_run_here():
    pytest.skip("no root")

def test_of_no_fault():
    pass
"""


def told_by(folder: Path) -> tuple[dict[str, Any], str]:
    """The report on these tests, for machines and for people."""
    (folder / "test_planted.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\n")
    options = ["-p", "tests.support.fault_evidence", "-p", "no:cacheprovider"]
    options.append(f"--fault-report={folder / 'faults'}")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "2 failed, 2 passed, 1 skipped" in ran.stdout, ran.stdout + ran.stderr
    report = json.loads((folder / "faults.json").read_text())
    return {each["id"]: each for each in report["faults"]}, (folder / "faults.md").read_text()


def test_a_fault_test_without_evidence_fails_and_the_report_tells_all(tmp_path: Path) -> None:
    told, readable = told_by(tmp_path)
    assert told.keys() == MATRIX.keys()
    outcomes = {name: each["outcome"] for name, each in told.items()}
    assert {name: each for name, each in outcomes.items() if each != "not run"} == {
        "F03": "passed",
        "F05": "failed",
        "F06": "skipped",
    }
    [shown] = told["F03"]["tests"]
    assert shown["did"] == ["The broker was killed."]
    assert shown["happened"] == {"its process": 4711}
    assert shown["held"] == ["all of it"]
    assert {each["why"] for each in told["F05"]["tests"]} == {
        "Failed: nothing shows that F05 happened",
        "AssertionError: that it happened is not shown by kills: 0",
    }
    assert told["F06"]["tests"][0]["why"] == "Skipped: no root"
    assert "- happened: its process: 4711\n- held: all of it\n" in readable
    assert "| F24 | " + MATRIX["F24"] + " | not run | 0 | 0 |" in readable


def test_each_fault_has_a_test_and_each_file_named_for_one_causes_it() -> None:
    marked: set[str] = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        found = set(MARK.findall(path.read_text(encoding="utf-8")))
        named = re.match(r"test_(f\d\d)_", path.name)
        if path.name != Path(__file__).name:
            marked |= found
        if named:
            assert found == {named[1].upper()}, path
    assert marked == MATRIX.keys() - NOT_CAUSED_YET
