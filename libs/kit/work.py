"""What passes through the door: jobs go in, decisions are taken, outcomes come out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from kit.answers import Answer
from kit.refusal import Refusal

if TYPE_CHECKING:
    from kit.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a record stands in its topic: the sequence is gapless per source, topic and key."""

    source: str
    topic: str
    key: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptKey:
    """Under what a caller's answer is remembered, and the fingerprint of what was asked."""

    caller: str
    scope: UUID
    key: str
    fingerprint: bytes

    @property
    def name(self) -> tuple[str, UUID, str]:
        return self.caller, self.scope, self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command on its way through the door.

    `command_id` is the same at every try, so that the events' ids are too. `anchors` are the
    owners whose books may change; they are locked before anything is read. A job without a
    command only moves its position on.
    """

    command: Any
    command_id: UUID
    anchors: tuple[UUID, ...]
    receipt: ReceiptKey | None = None
    position: Position | None = None
    instance: str = ""
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact to publish: `data` is JSON. Ids, sequence and time are given by the door."""

    topic: str
    key: str
    type: str
    subject: str
    data: bytes


class Decision(Protocol):
    """What a use case decided of one command."""

    @property
    def answer(self) -> Answer | Refusal: ...

    @property
    def events(self) -> Sequence[Event]: ...


UseCase = Callable[["Transaction", Sequence[Any], datetime], Awaitable[Sequence[Decision]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The command alone made its transaction fail, each time: poison, and nothing of it stayed."""

    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The record had been consumed before."""

    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Records before this one are missing; nothing was done."""

    expected: int
    found: int


Outcome = Answer | Broken | Skipped | Gap
