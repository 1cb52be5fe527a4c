"""What the wallet says of a month: open until every cell has cut it. All else settlement knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.clearing import Period
from kit.refusal import NotFound
from wallet.domain.period import month_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A cell's last cut, and when it cut the month that is asked about; None if it did not."""

    last_cut: str
    cut_at: datetime | None


def find_period(period: str, cells: Sequence[Seen], beijing_month: str) -> Period | NotFound:
    """A month that was cut, is open, or is the next to be cut; no other is known yet or any more.

    It is cut when the last of the cells is.
    """
    last_cut = min(seen.last_cut for seen in cells)
    if period <= last_cut:
        cut = [seen.cut_at for seen in cells if seen.cut_at is not None]
        if not cut:
            return NotFound("the month was over before the wallet was there")
        return Period(period=period, state="cut", cut_at=max(cut))
    if period <= max(beijing_month, month_after(last_cut)):
        return Period(period=period, state="open")
    return NotFound("the month is not there yet")
