"""A month as a province sees it: what it was issued, what it says of it, what it pays of it.

    waiting    issued, and the province keeps silent
    disputed   from waiting
    confirmed  from either: what is owed is paid, once

What was confirmed is final: issued again, the province says the same and pays nothing more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from contracts.events import ClearingIssued, IssuedLine
from sandbox.domain.behaviour import Behaviour
from sandbox.domain.core import Contradiction
from sandbox.domain.decided import beijing_day

ClearingName = tuple[str, str, int]
"""Province, period and version."""


class ClearingState(StrEnum):
    WAITING = "waiting"
    DISPUTED = "disputed"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    province: str
    period: str
    version: int
    digest: str
    lines: tuple[IssuedLine, ...]
    state: ClearingState
    told_at: datetime
    decided_at: datetime | None = None

    @property
    def name(self) -> ClearingName:
        return self.province, self.period, self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What the province of a clearing has paid its counterpart, in fen."""

    clearing: ClearingName
    counterpart: str
    amount_fen: int
    paid_on: date

    def __post_init__(self) -> None:
        assert self.amount_fen > 0


@dataclass(slots=True, kw_only=True)
class Months:
    """The mutable copy of the clearings that one batch works on, and what it has to write."""

    known: dict[ClearingName, Clearing]
    new: set[ClearingName] = field(default_factory=set)
    decided: set[ClearingName] = field(default_factory=set)
    transfers: list[Transfer] = field(default_factory=list)

    def issue(self, province: str, issued: ClearingIssued, now: datetime) -> Clearing:
        """Take a statement up; as it is kept, if it was issued before. Raises Contradiction."""
        told = Clearing(
            province=province,
            period=issued.period,
            version=issued.version,
            digest=issued.digest,
            lines=issued.lines,
            state=ClearingState.WAITING,
            told_at=now,
        )
        known = self.known.get(told.name)
        if known is None:
            self.known[told.name] = told
            self.new.add(told.name)
            return told
        if (known.digest, known.lines) != (told.digest, told.lines):
            raise Contradiction(f"{issued.period} was issued to {province} differently before")
        return known

    def decide(self, clearing: Clearing, behaviour: Behaviour, now: datetime) -> list[Transfer]:
        """Decide what is still open, as the province behaves; what it pays because of that."""
        if behaviour.clearing == "silent" or clearing.state is ClearingState.CONFIRMED:
            return []
        if behaviour.clearing == "dispute":
            self._becomes(clearing, ClearingState.DISPUTED, now)
            return []
        self._becomes(clearing, ClearingState.CONFIRMED, now)
        paid = [
            Transfer(
                clearing=clearing.name,
                counterpart=counterpart,
                amount_fen=amount,
                paid_on=beijing_day(now),
            )
            for counterpart, amount in owed(clearing.lines).items()
        ]
        self.transfers += paid
        return paid

    def _becomes(self, clearing: Clearing, state: ClearingState, now: datetime) -> None:
        if clearing.state is not state:
            self.known[clearing.name] = replace(clearing, state=state, decided_at=now)
            self.decided.add(clearing.name)


def owed(lines: Iterable[IssuedLine]) -> dict[str, int]:
    """Counterpart → what the province pays it, in fen, gross: nothing is netted (R15).

    Where more was given back than charged, it is whoever was to receive that pays.
    """
    gross: dict[tuple[str, str], int] = defaultdict(int)
    for line in lines:
        gross[line.counterpart, line.direction] += line.sum_fen
    pays: dict[str, int] = defaultdict(int)
    for (counterpart, direction), amount in sorted(gross.items()):
        due = amount if direction == "pays" else -amount
        if due > 0:
            pays[counterpart] += due
    return dict(pays)
