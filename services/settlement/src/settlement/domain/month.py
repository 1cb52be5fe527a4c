"""A month and how far it is.

open -> cut -> balanced -> issued -> confirmed -> paid -> closed

A cell's cut begins it here; a clerk issues and closes; the others happen by themselves, in the same
transaction as what completes them. Each step is taken once: a repeated one finds it taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from contracts import events, topics
from contracts.vocabulary import PeriodState
from kit.work import Event

STATES: tuple[PeriodState, ...] = (
    *("open", "cut", "balanced", "issued", "confirmed", "paid", "closed"),
)

Transferred = tuple[str, str]
"""Payer and payee province."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCut:
    """What a cell told of its month: lines, fen, and the sum of the lines' hashes."""

    cell: int
    cut_at: datetime
    lines: int
    amount: int
    hash: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What a province owes another one, gross; below 0 the creditor pays it back (R15)."""

    debtor: str
    creditor: str
    amount: int

    @property
    def transfer(self) -> Transferred:
        """Who pays whom."""
        pair = (self.debtor, self.creditor)
        return pair if self.amount > 0 else (pair[1], pair[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The last that a province said of its statement."""

    answer: Literal["confirmed", "disputed"]
    lines: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """`lines` and `amount` are what was received of it so far; `paid` is by payer and payee."""

    period: str
    state: PeriodState
    cells: int
    cut_at: datetime
    balanced_at: datetime | None = None
    issued_at: datetime | None = None
    confirmed_at: datetime | None = None
    paid_at: datetime | None = None
    closed_at: datetime | None = None
    version: int | None = None
    digest: str | None = None
    heard: Mapping[int, CellCut] = field(default_factory=dict)
    received: Mapping[int, int] = field(default_factory=dict)
    amount: int = 0
    recipients: tuple[str, ...] = ()
    answers: Mapping[str, Said] = field(default_factory=dict)
    owed: tuple[Owed, ...] = ()
    paid: Mapping[Transferred, int] = field(default_factory=dict)

    def has_reached(self, state: PeriodState) -> bool:
        return STATES.index(self.state) >= STATES.index(state)

    @property
    def lines(self) -> int:
        return sum(self.received.values())

    @property
    def transfers(self) -> dict[Transferred, int]:
        """What each payer owes each payee, in fen."""
        found: dict[Transferred, int] = defaultdict(int)
        for owed in self.owed:
            found[owed.transfer] += abs(owed.amount)
        return dict(sorted(found.items()))

    def left_to_pay(self, transfer: Transferred) -> int:
        return self.transfers.get(transfer, 0) - self.paid.get(transfer, 0)

    @property
    def all_confirmed(self) -> bool:
        return all(
            province in self.answers and self.answers[province].answer == "confirmed"
            for province in self.recipients
        )

    @property
    def all_paid(self) -> bool:
        # What is owed is added up once: with every pair of provinces in it, it is long.
        return all(
            self.paid.get(transfer, 0) == amount for transfer, amount in self.transfers.items()
        )

    def became(self, state: PeriodState, now: datetime) -> Month:
        """This month, one step on."""
        assert STATES.index(state) == STATES.index(self.state) + 1
        reached: dict[str, Any] = {"state": state, f"{state}_at": now}
        return replace(self, **reached)

    def moved_on(self, now: datetime) -> Month:
        """This month after the steps that need nobody."""
        month = self
        if month.state == "issued" and month.all_confirmed:
            month = month.became("confirmed", now)
        if month.state == "confirmed" and month.all_paid:
            month = month.became("paid", now)
        return month


def told(before: Month | None, after: Month, now: datetime) -> tuple[Event, ...]:
    """A fact for each state that the month has reached."""
    first = 1 if before is None else STATES.index(before.state) + 1
    return tuple(
        _changed(after, state, now) for state in STATES[first : STATES.index(after.state) + 1]
    )


def _changed(month: Month, state: PeriodState, now: datetime) -> Event:
    issued = STATES.index(state) >= STATES.index("issued")
    body = events.ClearingChanged(
        period=month.period,
        state=state,
        version=month.version if issued else None,
        digest=month.digest if issued else None,
        at=now,
    )
    # The state is part of the subject: one command may tell of several.
    return events.event(topics.CLEARING, month.period, f"{month.period}/{state}", body)
