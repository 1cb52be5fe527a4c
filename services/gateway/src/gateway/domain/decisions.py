"""What a use case decided: an answer or a refusal. The gateway publishes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from kit.answers import Answer
from kit.refusal import Refusal
from kit.work import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    answer: Answer | Refusal
    events: tuple[Event, ...] = ()


def answered(answer: Answer) -> Decision:
    return Decision(answer=answer)


TAKEN = Decision(answer=Answer(status=204, body="", kept=False))
"""A fact was taken in: nobody waits for an answer."""


def refused(refusal: Refusal) -> Decision:
    return Decision(answer=refusal)
