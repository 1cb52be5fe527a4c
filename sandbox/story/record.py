"""What the story has seen, for the page that it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from proof.report import Result
from sandbox.story.cast import Person
from sandbox.story.teller import Chapter


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTold:
    """A closed month as the gateway tells it: `period`, the national `statement`, and what it
    tells each institution of its own, by code.
    """

    period: Mapping[str, Any]
    statement: Mapping[str, Any]
    institutions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A relation, and its quota as the sharer sees it in the end."""

    sharer: Person
    beneficiary: Person
    kind: str
    quota: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The whole story. `institutions` are code → (name, level, pooling area)."""

    ended_at: datetime
    people: Sequence[Person]
    shares: Sequence[Shared]
    months: Sequence[MonthTold]
    institutions: Mapping[str, tuple[str, str, str]]
    chapters: Sequence[Chapter]
    results: Sequence[Result]
