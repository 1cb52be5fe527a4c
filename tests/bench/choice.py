"""What is measured and for how long, read from the environment once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

CASES = (
    "echo_asgi",
    "echo_fastapi",
    "pgbench_32",
    "lone",
    "payment_1",
    "payment_1_session",
    "payment_8",
    "payment_64",
    "payment_64_session",
    "payment_256",
    "sharers_64",
    "hot_64",
    "presence_64",
    "hold_capture_64",
    "open_500",
    "open_1000",
    "open_2000",
    "lag_line",
    "drain",
    "drain_lines",
    "hot_pair",
    "cut",
    "close",
)


class NotUnderstood(Exception):
    """A variable that we cannot make sense of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`seconds` are those of one case; `drain_rows` wait in the outbox before it is drained.

    `lines` payments wait before settlement records them, and are in a month before it is cut.
    """

    seconds: int
    cases: tuple[str, ...]
    people: int
    drain_rows: int
    lines: int
    quiet_load: float
    """A case waits (a while) until the machine's load of a minute is below this; 0 does not."""

    @property
    def warm_seconds(self) -> float:
        return min(3.0, max(1.0, self.seconds / 5))

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> Choice:
        wanted = (env.get("BENCH_CASES") or "").replace(",", " ").split()
        if unknown := set(wanted) - set(CASES):
            known = " ".join(CASES)
            raise NotUnderstood(
                f"BENCH_CASES: no case {' '.join(sorted(unknown))}; there are {known}"
            )
        return cls(
            seconds=number(env, "BENCH_SECONDS", 30),
            cases=tuple(wanted) or CASES,
            people=number(env, "BENCH_PEOPLE", 1000),
            drain_rows=number(env, "BENCH_DRAIN_ROWS", 100_000),
            lines=number(env, "BENCH_LINES", 50_000),
            quiet_load=number(env, "BENCH_QUIET_LOAD_PERCENT", 0) / 100,
        )


def number(env: Mapping[str, str], variable: str, default: int) -> int:
    text = env.get(variable)
    if not text:
        return default
    if not text.isdecimal():
        raise NotUnderstood(f"{variable}={text} is not a number")
    return int(text)
