"""What is written of a run: var/bench.json, var/bench/report.md, a table in docs/performance.md."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from tests.bench.choice import CASES, Choice
from tests.bench.figures import Figures
from tests.bench.plots import draw
from tests.support.places import ROOT

VAR = Path(os.environ.get("GONGJI_VAR") or ROOT / "var")
RECORD = ROOT / "docs" / "performance.md"
NONE_YET = (
    "None is recorded yet: a table is only worth keeping from a machine that does nothing else."
)
WORTH_RECORDING_SECONDS = 10
"""A case shorter than that shows that the benchmark works, not how fast anything is."""

HEAD = (
    "| case | /s | p50 ms | p95 ms | p99 ms | CPU µs | of which | a batch | commits"
    " | steal % | load | invariants |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)


_LONE = (
    "lone: p50 {p50_ms} ms through the queues, {straight_p50_ms} ms past them; pair by pair "
    "{apart_p50_ms} ms apart (quartiles {apart_p25_ms} and {apart_p75_ms}, {pairs} pairs); "
    "CPU of this process {here_cpu_us} and {straight_here_cpu_us} µs"
)


_LAG = (
    "lag_line: from the commit of a payment to that of its line p50 {p50_ms} ms, p95 {p95_ms} ms, "
    "p99 {p99_ms} ms, worst {max_ms} ms, {lines} lines; the payments themselves took "
    "{payment_p50_ms} ms, p99 {payment_p99_ms} ms"
)
_LINES = (
    "{name}: {waiting} events waited; settlement had {rss_grew_mb} MB more resident at most than "
    "when it began"
)
_HOT = (
    "hot_pair: {ratio} of what random pairs reach ({rate} and {random_rate} a second; CPU {cpu_us} "
    "and {random_cpu_us} µs)"
)
_CUT = (
    "cut: payments stalled for {stall_ms} ms at most (no answer for {gap_ms} ms, one after "
    "{worst_ms} ms; otherwise {gap_otherwise_ms} and {worst_otherwise_ms} ms); the clerk waited "
    "{cut_ms} ms; told {told_after_seconds} s after the cut, balanced {balanced_seconds} s later"
)
_CLOSE = (
    "close: {lines} lines in {totals} totals, {transfers} transfers, told {told_after_seconds} s "
    "after the cut; seconds from then: balanced {balanced_seconds}, issued {issued_seconds}, "
    "confirmed {confirmed_seconds}, paid {paid_seconds}, closed {closed_seconds}; all processes "
    "had {rss_grew_mb} MB more resident at most than before"
)
TOLD = {"hot_pair": _HOT, "cut": _CUT, "close": _CLOSE, "lone": _LONE}
"""Cases that a sentence tells better than a row."""

AT_THE_TOP = {
    "lag_p99_ms": ("open_1000", "lag_p99_ms"),
    "drain_rate": ("drain", "rate"),
    "hold_capture_rate": ("hold_capture_64", "rate"),
    "line_p99_ms": ("lag_line", "p99_ms"),
    "lines_rate": ("drain_lines", "rate"),
    "hot_pair_ratio": ("hot_pair", "ratio"),
    "cut_stall_ms": ("cut", "stall_ms"),
    "close_seconds": ("close", "closed_seconds"),
}
"""Figures that others ask for by name, and where they are from."""


def cases_of(told: Figures) -> dict[str, Figures]:
    return {name: told[name] for name in CASES if name in told}


def write(told: Figures) -> None:
    """bench.json so far; the figures that others ask for by name stand at the top."""
    content = dict(told)
    for name, (case, figure) in AT_THE_TOP.items():
        if case in told:
            content[name] = told[case][figure]
    VAR.mkdir(parents=True, exist_ok=True)
    scratch = VAR / "bench.json.new"
    scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    scratch.replace(VAR / "bench.json")


def line_of(name: str, figures: Figures) -> str:
    parts = " · ".join(f"{who} {cost:.0f}" for who, cost in spent(figures).items())
    shown = [
        name,
        str(figures.get("rate", "")),
        *(str(figures.get(f"p{each}_ms", "")) for each in (50, 95, 99)),
        str(figures.get("cpu_us", "")),
        parts,
        str(figures.get("batch_jobs", "")),
        str(figures.get("transactions", figures.get("commits", ""))),
        str(figures.get("steal_percent", "")),
        f"{figures['load_before']} → {figures['load'][0]}" if "load" in figures else "",
        verdict(figures),
    ]
    return "| " + " | ".join(shown) + " |"


def spent(figures: Figures) -> Mapping[str, float]:
    return {name: cost for name, cost in figures.get("cpu_us_by", {}).items() if cost >= 1}


def verdict(figures: Figures) -> str:
    found = figures.get("invariants")
    if found is None:
        return ""
    return "hold" if all(each == "ok" for each in found.values()) else "BROKEN"


def broken(told: Figures) -> list[str]:
    """What a run must not end with: an invariant that does not hold."""
    return [
        f"{name}: {invariant} {said}"
        for name, figures in cases_of(told).items()
        for invariant, said in figures.get("invariants", {}).items()
        if said != "ok"
    ]


def table(told: Figures) -> str:
    return "\n".join([HEAD, *(line_of(*each) for each in cases_of(told).items())])


def conditions(told: Figures) -> str:
    versions = ("python", "postgresql", "fastapi", "uvicorn", "uvloop", "asyncpg", "pydantic")
    return (
        f"{told['machine']}; {told['system']}; "
        + ", ".join(f"{name} {told[name]}" for name in versions)
        + f"; {told['seconds_a_case']} s a case."
    )


def notes(told: Figures) -> list[str]:
    """Figures that need more than a row."""
    found = []
    for name, figures in cases_of(told).items():
        if "lag_p99_ms" in figures:
            found.append(
                f"{name}: written → acknowledged by Kafka p50 {figures['lag_p50_ms']} ms, "
                f"p99 {figures['lag_p99_ms']} ms, worst {figures['lag_max_ms']} ms"
            )
        if name == "lag_line":
            found.append(_LAG.format(**figures))
        if name in ("drain_lines", "hot_pair"):
            found.append(_LINES.format(name=name, **figures))
        if name in TOLD:
            found.append(TOLD[name].format(**figures))
        strange = {
            status: n for status, n in figures.get("answers", {}).items() if status[0] != "2"
        }
        if strange:
            found.append(f"{name}: other answers {strange}")
        if figures.get("ran_out_of_letters"):
            found.append(f"{name}: faster than expected, requests ran out before time was up")
        if figures.get("unsent"):
            found.append(f"{name}: saturated, {figures['unsent']} requests never left")
        if not figures.get("quiet", True):
            found.append(f"{name}: the machine did not become quiet")
    if "drain" in told:
        found.append(f"drain: {told['drain']['waiting']} rows waited")
    return [*found, *compared(told)]


def compared(told: Figures) -> list[str]:
    """One figure of a run beside another."""
    found = []
    for name, beside in (("hot_64", "payment_64"), ("payment_64", "pgbench_32")):
        if name in told and beside in told:
            share = told[name]["rate"] / told[beside]["rate"]
            found.append(f"{name} reaches {share:.2f} of {beside}")
    return found


def finish(told: Figures, choice: Choice) -> str:
    """Write the report, note a run that is worth it, and say where."""
    folder = VAR / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(
        [
            f"### {told['date']}",
            conditions(told),
            table(told),
            "\n".join(f"- {each}" for each in notes(told)),
        ]
    )
    drawn = draw(folder, cases_of(told))
    pictures = "\n".join(f"![{file.stem}]({file.name})" for file in drawn)
    (folder / "report.md").write_text(f"{text}\n\n{pictures}\n")
    where = f"{VAR / 'bench.json'}, {folder / 'report.md'}"
    if choice.seconds >= WORTH_RECORDING_SECONDS:
        kept = RECORD.read_text().replace(NONE_YET, "").rstrip("\n")
        RECORD.write_text(f"{kept}\n\n{text}\n")
        where += f", {RECORD}"
    return where
