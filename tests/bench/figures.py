"""Figures of a case: a plain mapping, as it stands in bench.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from tests.bench.generator import Shots

Figures = dict[str, Any]

WELL = range(200, 300)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of an ordered sequence that this share of it does not exceed."""
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def of_shots(shots: Shots) -> Figures:
    """Rate and latency of what was answered well."""
    latencies = sorted(
        1000 * seconds
        for seconds, status in zip(shots.latencies, shots.statuses, strict=True)
        if status in WELL
    )
    found: Figures = {
        "answers": {str(status): n for status, n in sorted(Counter(shots.statuses).items())},
        "seconds": round(shots.took_seconds, 2),
        "rate": round(len(latencies) / shots.took_seconds, 1),
    }
    if shots.ran_out:
        found["ran_out_of_letters"] = True
    if shots.unsent:
        found["unsent"] = shots.unsent
    return found | quantiles(latencies)


def quantiles(ordered: Sequence[float]) -> Figures:
    """Median, 95th and 99th of 100 and the worst of an ordered sequence of ms."""
    if not ordered:
        return {}
    shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}
    return {name: round(percentile(ordered, share), 2) for name, share in shares.items()}


def curve(latencies: Sequence[float]) -> list[float]:
    """Latency in ms at every hundredth, of latencies in seconds, for the plots."""
    ordered = sorted(latencies)
    return [round(1000 * percentile(ordered, n / 100), 2) for n in range(1, 101)]


def in_pairs(shots: Shots, first: str, second: str) -> Shots:
    """Requests whose keys begin so, and those that followed them: an entry a pair.

    The rest of their keys is the same. A pair's latency is that of both; its status is the
    second's.
    """
    begun = {
        key.removeprefix(first): latency
        for key, latency in zip(shots.keys, shots.latencies, strict=True)
        if key.startswith(first)
    }
    ends = [n for n, key in enumerate(shots.keys) if key.startswith(second)]
    names = [shots.keys[n].removeprefix(second) for n in ends]
    return replace(
        shots,
        keys=names,
        statuses=[shots.statuses[n] for n in ends],
        latencies=[begun[name] + shots.latencies[n] for name, n in zip(names, ends, strict=True)],
    )


def stall(shots: Shots, since: float, until: float) -> Figures:
    """What answers waited for between two moments: the longest gap in which none came, and the
    longest latency of those that were under way; beside them the same of all the rest, in ms.
    """
    at = sorted(shots.ended)
    gaps = {True: 0.0, False: 0.0}
    for before, after in pairwise(at):
        then = after >= since and before <= until
        gaps[then] = max(gaps[then], after - before)
    worst = {True: 0.0, False: 0.0}
    for ended, latency in zip(shots.ended, shots.latencies, strict=True):
        then = ended >= since and ended - latency <= until
        worst[then] = max(worst[then], latency)
    return {
        "stall_ms": round(1000 * max(gaps[True], worst[True]), 1),
        "gap_ms": round(1000 * gaps[True], 1),
        "worst_ms": round(1000 * worst[True], 1),
        "gap_otherwise_ms": round(1000 * gaps[False], 1),
        "worst_otherwise_ms": round(1000 * worst[False], 1),
    }
