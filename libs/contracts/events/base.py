"""What all events are: a body that knows its type."""

from __future__ import annotations

from typing import ClassVar

from contracts.topics import Topic
from contracts.vocabulary import Fact
from kit.work import Event


class Told(Fact):
    """The body of an event; `TYPE` is its ce_type."""

    TYPE: ClassVar[str]


def event(topic: Topic, key: object, subject: object, body: Told) -> Event:
    """An event for the outbox."""
    return Event(
        topic=topic.name,
        key=str(key),
        type=body.TYPE,
        subject=str(subject),
        data=body.model_dump_json(by_alias=True).encode(),
    )
