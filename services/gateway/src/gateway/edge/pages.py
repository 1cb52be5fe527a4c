"""Pages of lists: how many, where one ended, and until when the list was read.

What is told a moment ago stands in an outbox, then in Kafka, then here: `as_of` is earlier than
what was read by as long as the first step may take.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from contracts.topics import Topic
from contracts.vocabulary import Wire
from gateway.store.happenings import read_up_to
from kit.refusal import Invalid
from kit.transaction import Transaction

PUBLISHED_WITHIN = timedelta(seconds=1)
"""How long what was committed may wait in an outbox before Kafka has it."""

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = datetime(9999, 12, 31, tzinfo=UTC), UUID(int=(1 << 128) - 1)
"""Before the newest there is."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Place = tuple[datetime, UUID]
"""Where something stands in a list that is ordered by time."""


def _whole_number(text: object) -> int:
    # Read as text, 1.0 would be a whole number too.
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError("digits only")
    return int(text)


Limit = Annotated[int, Field(ge=1, le=200), BeforeValidator(_whole_number)]
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{32}$")]


class PageByTime(Wire):
    """Which part of a list; a cursor is what the page before gave as `next_cursor`."""

    limit: Limit = 50
    cursor: Cursor | None = None


def cursor_of(place: Place) -> str:
    at, identifier = place
    microseconds = (at - _EPOCH) // _MICROSECOND
    return urlsafe_b64encode(microseconds.to_bytes(8) + identifier.bytes).decode()


def place_of(cursor: str | None) -> Place:
    """Where the page before ended. Raises Invalid for what no page gave."""
    if cursor is None:
        return FIRST
    told = urlsafe_b64decode(cursor)
    try:
        at = _EPOCH + int.from_bytes(told[:8]) * _MICROSECOND
    except OverflowError:
        raise Invalid("query: cursor: not one of this list's") from None
    return at, UUID(bytes=told[8:])


async def as_of(tx: Transaction, *topics: Topic) -> datetime:
    """Until when these topics were read; the beginning of time before they all were."""
    read = await read_up_to(tx, {topic.name: topic.partitions for topic in topics})
    return NEVER if read is None else read - PUBLISHED_WITHIN
