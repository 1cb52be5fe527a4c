"""What a batch about months works on: each command sees what the one before it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.vocabulary import PeriodState
from settlement.domain.month import Month


@dataclass(slots=True, kw_only=True)
class Books:
    """The months that the batch is about, as far as they were cut.

    `known` are the ids of facts that were taken before: told again they change nothing.
    """

    now: datetime
    months: dict[str, Month]
    known: set[UUID] = field(default_factory=set)
    _before: dict[str, Month | None] = field(default_factory=dict)

    def put(self, month: Month) -> None:
        """Begin a month, or replace it by what became of it."""
        self._before.setdefault(month.period, self.months.get(month.period))
        self.months[month.period] = month

    def begun(self) -> list[Month]:
        return [self.months[period] for period, before in self._before.items() if before is None]

    def changed(self) -> list[tuple[PeriodState, Month]]:
        """Every other month that was changed, with the state it was read in."""
        return [
            (before.state, self.months[period])
            for period, before in self._before.items()
            if before is not None
        ]
