"""var/bench/*.png: how many, at what cost for whom, and how long they waited."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import log10
from pathlib import Path

from tests.bench.canvas import GRID, INK, Canvas, Colour, text_width
from tests.bench.figures import Figures
from tests.bench.machine import PATH

PALETTE: tuple[Colour, ...] = (
    (31, 119, 180),
    (255, 127, 14),
    (44, 160, 44),
    (214, 39, 40),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (127, 127, 127),
    (188, 189, 34),
    (23, 190, 207),
    (80, 80, 160),
    (160, 120, 40),
)
LABEL, BAR, GAP, WIDTH, FULL = 190, 16, 12, 1100, 760
TOP = 40

NO_PAYMENTS = ("drain", "drain_lines", "hot_pair", "close")
"""Cases whose costs are not those of a payment."""


def draw(folder: Path, cases: Mapping[str, Figures]) -> list[Path]:
    """Write the plots that these cases give; returns their files."""
    made = []
    rates = {name: each["rate"] for name, each in cases.items() if "rate" in each}
    if rates:
        made.append(bars(folder / "rate.png", "per second", {n: {n: r} for n, r in rates.items()}))
    costs = {
        name: {who: each["cpu_us_by"].get(who, 0.0) for who in PATH}
        for name, each in cases.items()
        if "invariants" in each and name not in NO_PAYMENTS
    }
    if costs:
        made.append(bars(folder / "cpu.png", "cpu us for each payment", costs))
    curves = {name: each["curve_ms"] for name, each in cases.items() if "curve_ms" in each}
    if curves:
        made.append(latencies(folder / "latency.png", curves))
    return made


def bars(file: Path, title: str, rows: Mapping[str, Mapping[str, float]]) -> Path:
    """A row a case, its parts side by side; parts of one name have one colour."""
    canvas = Canvas(WIDTH, TOP + len(rows) * (BAR + GAP) + 60)
    canvas.text(10, 12, title)
    most = max((sum(parts.values()) for parts in rows.values()), default=1.0) or 1.0
    names = list(dict.fromkeys(part for parts in rows.values() for part in parts))
    several = any(len(parts) > 1 for parts in rows.values())
    for n, (row, parts) in enumerate(rows.items()):
        y, x = TOP + n * (BAR + GAP), LABEL
        canvas.text(10, y + 3, row)
        for part, value in parts.items():
            width = int(FULL * value / most)
            colour = PALETTE[names.index(part) % len(PALETTE)] if several else PALETTE[0]
            canvas.box(x, y, width, BAR, colour)
            x += width
        canvas.text(x + 8, y + 3, f"{sum(parts.values()):.0f}")
    if several:
        legend(canvas, names, canvas.height - 30)
    canvas.save(file)
    return file


def legend(canvas: Canvas, names: list[str], y: int) -> None:
    x = LABEL
    for n, name in enumerate(names):
        canvas.box(x, y, 12, 12, PALETTE[n % len(PALETTE)])
        canvas.text(x + 18, y + 1, name)
        x += 40 + text_width(name)


def latencies(file: Path, curves: Mapping[str, list[float]]) -> Path:
    """Share of answers (to the right) within how many ms (upwards); each decade is as high."""
    canvas = Canvas(WIDTH, 560)
    canvas.text(10, 12, "ms within which so many percent are answered")
    decades, bottom, height = 4, 520, 460
    for decade in range(decades + 1):
        y = bottom - height * decade // decades
        canvas.box(60, y, FULL, 1, GRID)
        canvas.text(10, y - 4, str(10**decade))
    for percent in (0, 25, 50, 75, 100):
        x = 60 + FULL * percent // 100
        canvas.box(x, bottom - height, 1, height, GRID)
        canvas.text(x - 6, bottom + 10, str(percent))
    for n, (name, curve) in enumerate(curves.items()):
        colour = PALETTE[n % len(PALETTE)]
        points = [
            (60 + FULL * (k + 1) // 100, bottom - int(height * decade_of(ms) / decades))
            for k, ms in enumerate(curve)
        ]
        for (x, y), (to_x, to_y) in pairwise(points):
            canvas.line(x, y, to_x, to_y, colour)
        canvas.box(850, 60 + 24 * n, 12, 12, colour)
        canvas.text(870, 61 + 24 * n, name, INK)
    canvas.save(file)
    return file


def decade_of(ms: float) -> float:
    return min(4.0, max(0.0, log10(max(ms, 1.0))))
