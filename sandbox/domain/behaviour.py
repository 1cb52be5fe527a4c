"""How a province behaves: it may refuse, keep silent, answer late, twice, or out of order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from contracts.vocabulary import Wire
from kit.work import Event

OVERTAKEN_WITHIN = timedelta(seconds=1)
"""How long a reordering province holds an answer back for later ones to overtake it."""


class Behaviour(Wire):
    """As contract §6 has it. `freeze: silent` neither freezes nor answers until it is changed."""

    freeze: Literal["confirm", "refuse", "silent"] = "confirm"
    late_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    duplicate: bool = False
    reorder: bool = False
    premium: Literal["accept", "refuse", "silent"] = "accept"
    kinship: Literal["yes", "no", "unknown", "silent"] = "yes"
    clearing: Literal["confirm", "dispute", "silent"] = "confirm"

    def shown(self) -> dict[str, object]:
        """As it is told to who asks; of kinship and clearing only what is not well-behaved."""
        whole = self.model_dump()
        for name in ("kinship", "clearing"):
            if whole[name] == getattr(WELL_BEHAVED, name):
                del whole[name]
        return whole


WELL_BEHAVED = Behaviour()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAnswer:
    """An answer that is to be told later."""

    province: str
    event: Event
    copies: int
    due_at: datetime


@dataclass(slots=True, kw_only=True)
class Voice:
    """How the provinces of one batch tell their answers.

    `holding_back` are the provinces with an answer that waits to be overtaken.
    """

    behaviours: Mapping[str, Behaviour]
    holding_back: set[str]
    held: list[HeldAnswer] = field(default_factory=list)

    def tell(self, province: str, event: Event, now: datetime) -> tuple[Event, ...]:
        """What to tell at once of an answer; the rest of it is in `held`."""
        behaviour = self.behaviours.get(province, WELL_BEHAVED)
        copies = 2 if behaviour.duplicate else 1
        due_at = now + timedelta(milliseconds=behaviour.late_ms)
        if behaviour.reorder and province not in self.holding_back:
            self.holding_back.add(province)
            due_at += OVERTAKEN_WITHIN
        if due_at <= now:
            return (event,) * copies
        self.held.append(HeldAnswer(province=province, event=event, copies=copies, due_at=due_at))
        return ()
