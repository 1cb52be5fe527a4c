"""Run the benchmark: BENCH_SECONDS a case, BENCH_CASES to choose, see docs/performance.md."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from gm.signing import generate_key_pair
from tests.bench import report
from tests.bench.cases import PaymentCases, echo, meter_of_machine
from tests.bench.choice import Choice, NotUnderstood
from tests.bench.figures import Figures
from tests.bench.floor import pgbench
from tests.bench.generator import Generator
from tests.bench.ground import Ground, ground_of
from tests.bench.lag import drain
from tests.bench.letters import PaymentScript, Signing
from tests.bench.lines import drain_lines, hot_pair
from tests.bench.lone import lone
from tests.bench.machine import await_quiet, described
from tests.bench.month import close, cut
from tests.support import servers
from tests.support.databases import Databases, blocking

MOST_PAYMENTS = 400_000
"""The proofs read a whole ledger; beyond this, a new town is built for the next case."""


class Run:
    """All cases in turn; what is known is written down after each."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.generator = Generator()
        self.told: Figures = {
            **described(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds_a_case": choice.seconds,
        }

    def all(self) -> None:
        self._alone()
        left = [name for name in self.choice.cases if not is_alone(name)]
        while left:
            say("building a town …")
            with ground_of(self.choice.people) as ground:
                in_ledger = 0
                while left and in_ledger < MOST_PAYMENTS:
                    name = left.pop(0)
                    self._case(name, self._measure(name, ground))
                    in_ledger = self.told[name]["payments_in_ledger"]

    def _measure(self, name: str, ground: Ground) -> Callable[[], Figures]:
        choice = self.choice
        match name:
            case "drain":
                return partial(awaited, drain, ground, choice.drain_rows)
            case "drain_lines":
                return partial(awaited, drain_lines, ground, choice.lines, "random")
            case "hot_pair":
                return partial(awaited, hot_pair, ground, choice.lines)
            case "cut":
                return partial(cut, ground, self.generator, choice)
            case "close":
                return partial(close, ground, choice.lines)
        return partial(PaymentCases(ground, self.generator, choice).run, name)

    def _alone(self) -> None:
        """What needs no town: nothing else runs beside it."""
        pair = generate_key_pair("ed25519")
        signing = Signing(key_id="echo-1", algorithm="ed25519", private=pair.private)
        script = PaymentScript(url="", signing=signing, tokens=["x" * 300])
        for name in filter(is_alone, self.choice.cases):
            if name.startswith("echo"):
                self._case(name, partial(echo, name, self.generator, self.choice, script))
            elif name == "lone":
                self._case(name, self._lone)
            else:
                self._case(name, self._floor)

    def _floor(self) -> Figures:
        databases = Databases(servers.address("durable"))
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            return pgbench(databases, meter_of_machine(), self.choice.seconds, Path(folder))

    def _lone(self) -> Figures:
        return blocking(lone(Databases(servers.address("durable")), self.choice.seconds))

    def _case(self, name: str, measure: Callable[[], Figures]) -> None:
        say(f"{name} …")
        quiet = await_quiet(self.choice.quiet_load)
        load = round(os.getloadavg()[0], 2)
        self.told[name] = {**measure(), "load_before": load, "quiet": quiet}
        report.write(self.told)
        say(report.line_of(name, self.told[name]))


def awaited(case: Callable[..., Coroutine[Any, Any, Figures]], *given: object) -> Figures:
    return blocking(case(*given))


def is_alone(name: str) -> bool:
    return name.startswith(("echo", "pgbench", "lone"))


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is what a command line is for


def main() -> int:
    try:
        choice = Choice.read()
    except NotUnderstood as error:
        say(str(error))
        return 2
    servers.begin()
    try:
        run = Run(choice)
        try:
            run.all()
        finally:
            run.generator.close()
    finally:
        servers.end()
    say(report.finish(run.told, choice))
    broken = report.broken(run.told)
    if broken:
        say("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
