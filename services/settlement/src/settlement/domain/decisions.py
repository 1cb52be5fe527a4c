"""What a rule decided: an answer for the caller, rows to write and facts to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from contracts.events import PeriodCut
from kit.answers import Answer
from kit.refusal import Refusal
from kit.work import Event
from settlement.domain.commands import RecordAnswer, RecordTopUp, RecordTransfer
from settlement.domain.line import Line
from settlement.domain.month import Month
from settlement.domain.prefund import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one command. A refused one carries its refusal and nothing else.

    What became of months is in the books; `issued` is one whose recipients and debts are new.
    `used` is what prefunds are used more or, below 0, less.
    """

    answer: Answer | Refusal
    events: tuple[Event, ...] = ()
    lines: tuple[Line, ...] = ()
    cut: PeriodCut | None = None
    issued: Month | None = None
    said: RecordAnswer | None = None
    transfer: RecordTransfer | None = None
    top_up: RecordTopUp | None = None
    used: Mapping[Pair, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.answer, Refusal):
            written = (self.events, self.lines, self.cut, self.issued, self.said)
            assert not any((self.transfer, self.top_up, self.used))
            assert not any(written), "a refusal changes nothing"


def refused(refusal: Refusal) -> Decision:
    return Decision(answer=refusal)


TAKEN = Answer(status=204, body="")
"""A fact was taken, or was known already: nobody waits for an answer."""


def telling(decisions: Sequence[Decision], events: tuple[Event, ...]) -> list[Decision]:
    """The same decisions; the last of them that changed anything tells what the batch did."""
    told = list(decisions)
    if events:
        taken = [n for n, given in enumerate(told) if not isinstance(given.answer, Refusal)]
        told[taken[-1]] = replace(told[taken[-1]], events=(*told[taken[-1]].events, *events))
    return told
