"""The rule of telling a cut: what the month adds up to, once, so that others may prove it (R15)."""

from __future__ import annotations

from dataclasses import dataclass

from contracts import events, topics
from kit.answers import Answer
from kit.work import Event
from wallet.domain.commands import TellCut
from wallet.domain.cut_period import DONE, Cut

MOST_TOTALS = 4_000
"""In one event: half of what a record may be, with long amounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What is told of a month; nothing, where it was told before."""

    answer: Answer
    period: str | None = None
    events: tuple[Event, ...] = ()


def tell_cut(cut: Cut | None, command: TellCut) -> Telling:
    """Tell the totals of a cell's month, also that there are none; in parts where they are many."""
    assert cut is not None, "a month is told after it was cut"
    if cut.told_at is not None:
        return Telling(answer=DONE)
    parts = [
        command.totals[n : n + MOST_TOTALS] for n in range(0, len(command.totals), MOST_TOTALS)
    ] or [()]
    told = tuple(
        _told(cut, command, totals, part, len(parts)) for part, totals in enumerate(parts, start=1)
    )
    return Telling(answer=DONE, period=cut.period, events=told)


def _told(
    cut: Cut, command: TellCut, totals: tuple[events.CutTotal, ...], part: int, parts: int
) -> Event:
    body = events.PeriodCut(
        period=cut.period,
        cell=command.cell,
        cells=command.cells,
        cut_at=cut.cut_at,
        lines=totals,
        part=part if parts > 1 else None,
        parts=parts if parts > 1 else None,
    )
    # The subject is part of an event's id, which each part has to have for itself.
    subject = cut.period if part == 1 else f"{cut.period}/{part}"
    return events.event(topics.PERIOD, cut.period, subject, body)
