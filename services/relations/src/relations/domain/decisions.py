"""What a rule decided: an answer for the caller, rows to write and facts to tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.answers import Answer, answer
from kit.refusal import Refusal
from kit.work import Event
from relations.domain.commands import RecordEnrolment
from relations.domain.people import Enrolment
from relations.domain.relation import Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentTold:
    """What brought a person to a version."""

    person_id: UUID
    version: int
    enrolment: Enrolment


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEntered:
    """A state that a relation entered and the person whose will it was, if it was one.

    `guardian_id` is who said so for a person under age.
    """

    relation: Relation
    actor_id: UUID | None
    happened_at: datetime
    guardian_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one command. A refused one carries its refusal and nothing else."""

    answer: Answer | Refusal
    events: tuple[Event, ...] = ()
    told: tuple[EnrolmentTold, ...] = ()
    entered: tuple[StateEntered, ...] = ()
    ahead: RecordEnrolment | None = None

    def __post_init__(self) -> None:
        if isinstance(self.answer, Refusal):
            assert not self.events, "a refusal changes nothing"
            assert not self.told
            assert not self.entered
            assert self.ahead is None


def entered_by(decisions: Iterable[Decision]) -> list[StateEntered]:
    """Every state that a batch of decisions brought a relation to, in order."""
    return [entered for decision in decisions for entered in decision.entered]


class Unheard(StrEnum):
    """Why a fact that somebody told cannot be taken in: its record is parked under this name."""

    UNKNOWN_PERSON = "unknown-person"  # nobody has the number, and no certificate came with it
    NUMBER_OF_ANOTHER = "number-of-another"  # whose certificate is a different one


def refused(refusal: Refusal) -> Decision:
    return Decision(answer=refusal)


def unheard(reason: Unheard) -> Decision:
    return Decision(answer=answer(422, {"reason": reason}))


NOTHING_NEW = Decision(answer=answer(200, {}))
"""The fact was known: nothing to write and nothing to tell."""

RELATIVES_CHANGED = Decision(answer=answer(409, {"reason": "relatives-changed"}))
"""Somebody became a relative whose lock is not held: nothing was decided, look and lock again."""
