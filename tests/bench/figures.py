"""Figures of a case: a plain mapping, as it stands in bench.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
    if latencies:
        found |= {
            f"p{name}_ms": round(percentile(latencies, share), 2)
            for name, share in (("50", 0.5), ("95", 0.95), ("99", 0.99))
        }
        found["max_ms"] = round(latencies[-1], 2)
    return found


def curve(shots: Shots) -> list[float]:
    """Latency in ms at every hundredth, for the plots."""
    latencies = sorted(shots.latencies)
    return [round(1000 * percentile(latencies, n / 100), 2) for n in range(1, 101)]
