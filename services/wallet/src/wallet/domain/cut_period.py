"""The rule of a cut: months are cut one after another, each when it is over (R15, R33).

open --cut--> cut          whatever is decided from then on falls into a later month
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kit.answers import Answer, answer
from kit.refusal import Refusal, WrongState
from kit.work import Event
from wallet.domain.commands import CutPeriod
from wallet.domain.period import month_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A month that was cut, and since when all who clear it know what it adds up to."""

    period: str
    cut_at: datetime
    told_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """What becomes of a wish to cut: `period` is the month that is cut now, if one is."""

    answer: Answer | Refusal
    period: str | None = None
    events: tuple[Event, ...] = ()


DONE = answer(200, {})


def cut_period(last_cut: str, beijing_month: str, command: CutPeriod) -> Cutting:
    """Cut the month after the last cut, if it is over or may be cut early; one cut before is done.

    `beijing_month` is the present one, by the clock of the database.
    """
    if command.period <= last_cut:
        return Cutting(answer=DONE)
    first = month_after(last_cut)
    if command.period != first:
        return Cutting(answer=WrongState(f"{first} has to be cut before it"))
    if command.period >= beijing_month and not command.early:
        return Cutting(answer=WrongState("the month is not over yet"))
    return Cutting(answer=DONE, period=command.period)
