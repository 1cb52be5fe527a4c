"""What fault tests did, how it is known that the fault happened, and what held: told in a report.

    marked `fault("F03")` ──fault_evidence──▶ did · happened · held ──▶ --fault-report=var/faults
    passes and has no evidence that its fault happened ──▶ fails

Of each fault of the matrix the report says what this session saw, or that it was not run. It is
written by the process that the session was started as, whichever worker ran the tests.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

MATRIX: Mapping[str, str] = {
    "F01": "kill -9 at each named point between database, Kafka and caller",
    "F02": "kill -9 of any service, every one to five seconds",
    "F03": "the broker is killed and comes back after five seconds",
    "F05": "PostgreSQL ends at once, asked to and killed",
    "F06": "a backend is terminated in the middle of a transaction",
    "F07": "the answer to a COMMIT is lost, or the COMMIT",
    "F08": "partition: service and database, Kafka, gateway and wallet; one way and both",
    "F10": "every message comes one to five times; whole topics come again",
    "F11": "messages of a key are missing or come in another order",
    "F12": "rebalances without end; a consumer that slept for too long wakes up",
    "F13": "poison: what cannot be read, understood or believed",
    "F15": "a consumer that is slow, and far behind",
    "F16": "the clock jumps; the month ends in Beijing",
    "F17": "the disk is full, under PostgreSQL and under Kafka",
    "F18": "no connection to the database comes free",
    "F19": "two hundred spend one quota at once",
    "F20": "three times as much as can be done",
    "F21": "SIGTERM in the middle of it; everything is restarted in turn",
    "F22": "one key fifty times at once, with another body, after a restart",
    "F23": "each step of a conversation has each outcome",
    "F24": "settlement dies, runs twice, is answered wrongly or prefunded too little",
}

Fact = str | int | float | Sequence[str] | Sequence[int] | Mapping[str, int] | Mapping[str, float]


@dataclass(slots=True)
class Evidence:
    """Of one test: what was done, what shows that it happened, what held all the same."""

    did: list[str] = field(default_factory=list)
    happened: dict[str, Fact] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)

    def tell(self, what: str) -> None:
        """What is done in this test, in a sentence."""
        self.did.append(what)

    def saw(self, what: str, fact: Fact) -> None:
        """A trace that the fault left: a figure, process ids, a line of a log. None of it is 0."""
        assert fact, f"that it happened is not shown by {what}: {fact!r}"
        self.happened[what] = fact

    def holds(self, what: str) -> None:
        """What was looked at and is as it should be."""
        self.held.append(what)


KEY = pytest.StashKey[Evidence]()
PROPERTY = "fault"


@pytest.fixture
def fault_evidence(request: pytest.FixtureRequest) -> Evidence:
    """To be filled by the test; one that is marked `fault` and has seen nothing fails."""
    stash: pytest.Stash = request.node.stash
    return stash.setdefault(KEY, Evidence())


def fault_of(item: pytest.Item) -> str | None:
    """The fault that a test is marked to be of. Raises UsageError for one that is not known."""
    mark = item.get_closest_marker("fault")
    if mark is None:
        return None
    [name] = mark.args
    if name not in MATRIX:
        raise pytest.UsageError(f"{item.nodeid}: there is no fault {name}")
    return str(name)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    result = yield
    fault = fault_of(pyfuncitem)
    if fault is not None and not pyfuncitem.stash.get(KEY, Evidence()).happened:
        pytest.fail(f"nothing shows that {fault} happened", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fault = fault_of(item)
    if fault is not None:
        told = asdict(item.stash.get(KEY, Evidence()))
        report.user_properties = [(PROPERTY, json.dumps({"fault": fault, **told}))]
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-report", metavar="PATH", help="write PATH.json and PATH.md")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(id): a fault of the matrix that the test causes")
    path = config.getoption("--fault-report")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporter(Path(path)), "fault-report")


@dataclass(slots=True, kw_only=True)
class Test:
    """What became of one test."""

    name: str
    outcome: str = "passed"
    seconds: float = 0.0
    why: str = ""
    did: list[str] = field(default_factory=list)
    happened: dict[str, Fact] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)


class Reporter:
    """Gathers what all tests told, and writes it down when the session is over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tests: dict[str, dict[str, Test]] = {name: {} for name in MATRIX}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties).get(PROPERTY)
        if told is None:
            return
        found: dict[str, Any] = json.loads(str(told))
        tests = self._tests[found.pop("fault")]
        test = tests.setdefault(report.nodeid, Test(name=report.nodeid))
        test.did, test.happened, test.held = found["did"], found["happened"], found["held"]
        test.seconds = round(test.seconds + report.duration, 1)
        if not report.passed and test.outcome != "failed":
            test.outcome = report.outcome
            test.why = why_of(report)

    def pytest_sessionfinish(self) -> None:
        told = {
            "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "faults": [
                {
                    "id": name,
                    "fault": MATRIX[name],
                    "outcome": outcome_of(tests.values()),
                    "seconds": round(sum(test.seconds for test in tests.values()), 1),
                    "tests": [asdict(test) for test in tests.values()],
                }
                for name, tests in self._tests.items()
            ],
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(told, ensure_ascii=False, indent=1)
        self._path.with_suffix(".json").write_text(text + "\n")
        self._path.with_suffix(".md").write_text(readable(told))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        outcomes = {name: outcome_of(tests.values()) for name, tests in self._tests.items()}
        for outcome in sorted(set(outcomes.values())):
            names = " ".join(name for name, each in outcomes.items() if each == outcome)
            terminalreporter.write_line(f"faults {outcome}: {names}")
        terminalreporter.write_line(f"fault report: {self._path.with_suffix('.md')}")


def why_of(report: pytest.TestReport) -> str:
    """In a line, why a test was skipped or failed."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    return next(iter(text.strip().splitlines()), "")


def outcome_of(tests: Iterable[Test]) -> str:
    """Of a fault: the worst that became of its tests."""
    outcomes = {test.outcome for test in tests}
    ranked = ("failed", "skipped", "passed")
    return next((each for each in ranked if each in outcomes), "not run")


def readable(told: Mapping[str, Any]) -> str:
    """The report as somebody reads it."""
    lines = [
        "# What was done to it, and what held",
        "",
        f"Written {told['written_at']}. A kill leaves the page cache alone: nothing here says"
        " anything about fsync.",
        "",
        "| id | fault | outcome | tests | seconds |",
        "|---|---|---|---|---|",
    ]
    for each in told["faults"]:
        cells = [each["id"], each["fault"], each["outcome"], len(each["tests"]), each["seconds"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    for each in told["faults"]:
        if each["tests"]:
            lines += ["", f"## {each['id']}: {each['fault']}"]
            for test in each["tests"]:
                lines += _of_test(test)
    return "\n".join(lines) + "\n"


def _of_test(test: Mapping[str, Any]) -> list[str]:
    name = test["name"].partition("::")[2]
    lines = ["", f"**{name}** {test['outcome']}, {test['seconds']} s. {' '.join(test['did'])}", ""]
    if test["why"]:
        lines.append(f"- {test['outcome']}: {test['why']}")
    lines += [f"- happened: {what}: {_shown(fact)}" for what, fact in test["happened"].items()]
    lines += [f"- held: {what}" for what in test["held"]]
    return lines


def _shown(fact: Any) -> str:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {value}" for name, value in fact.items())
    return ", ".join(map(str, fact)) if isinstance(fact, list) else str(fact)
