"""A decision of a use case: the answer for whoever asked, and the facts to publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from kit.answers import Answer
from kit.refusal import Refusal
from kit.work import Event

BEIJING = ZoneInfo("Asia/Shanghai")
_ANCHORS = uuid5(NAMESPACE_URL, "urn:gongji:sandbox:anchor")

PEOPLE = uuid5(_ANCHORS, "people")
"""Anchor of whoever makes people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    answer: Answer | Refusal
    events: Sequence[Event] = ()


DONE = Answer(status=204, body="", kept=False)


def anchor_of(province: str) -> UUID:
    """A provincial core does one thing at a time: this anchor is its lock."""
    return uuid5(_ANCHORS, province)


def beijing_day(now: datetime) -> date:
    return now.astimezone(BEIJING).date()
