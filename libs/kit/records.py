"""Records as we read and write them: CloudEvents 1.0 in binary mode, with a JSON value.

Raw       what Kafka gave: bytes, kept so that a parked record is passed on as it came
Record    the same with its headers understood
Poison    why a record cannot be, or may not be, understood
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from aiokafka import ConsumerRecord
from asyncpg.pgproto.pgproto import UUID as QuickUUID

from kit.ids import named_id
from kit.kafka import Broker
from kit.work import Job, Position

Headers = tuple[tuple[str, bytes], ...]

_EVENTS = QuickUUID("6d0b9c3a-5f0e-5c61-9a35-1d5f0e6c2b47")
_SEQUENCE = re.compile(r"[1-9][0-9]{0,17}")
_SPECVERSION = ("ce_specversion", b"1.0")
_CONTENT_TYPE = ("content-type", b"application/json")
MOST_HEADER = 512
MOST_KEY = 256


class Poison(Exception):
    """The record can never be performed as it is; `reason` is a word for people to sort by."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A record as Kafka gave it; `topic` is the logical name."""

    topic: str
    partition: int
    offset: int
    key_bytes: bytes | None
    headers: Headers
    value: bytes | None

    @property
    def key(self) -> str:
        """The key as text that any database can keep and index; empty when there is none.

        A key longer than any of ours is told apart by its digest.
        """
        given = self.key_bytes or b""
        if len(given) > MOST_KEY:
            return f"sha256:{hashlib.sha256(given).hexdigest()}"
        return given.decode("utf-8", "backslashreplace").replace("\0", "\\x00")

    @property
    def name(self) -> tuple[str, str]:
        """What order is kept within: topic and key."""
        return self.topic, self.key

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """A job and the cell whose door it goes through."""

    cell: int
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record whose headers are understood. `sequence` is None where the source has none."""

    topic: str
    partition: int
    offset: int
    key: str
    id: str
    type: str
    source: str
    subject: str | None
    sequence: int | None
    time: datetime
    traceparent: str | None
    body: bytes

    def json(self) -> Any:
        """The body, parsed. Raises Poison when it is not JSON in UTF-8."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise Poison("bad-json", str(error)) from None

    @property
    def position(self) -> Position | None:
        if self.sequence is None:
            return None
        return Position(source=self.source, topic=self.topic, key=self.key, sequence=self.sequence)

    @property
    def command_id(self) -> UUID:
        """The same for the same event however often and wherever it is delivered."""
        return named_id(_EVENTS, f"{self.source}\n{self.id}")

    def to(self, cell: int, command: object, *, anchors: tuple[UUID, ...] = ()) -> Routed:
        """This record as a job: the command it amounts to, and whose books may change."""
        job = Job(
            command=command,
            command_id=self.command_id,
            anchors=anchors,
            position=self.position,
            instance=f"/events/{self.topic}/{self.id}",
            traceparent=self.traceparent,
        )
        return Routed(cell=cell, job=job)


def raw_of(given: ConsumerRecord[Any, Any], broker: Broker) -> Raw:
    return Raw(
        topic=broker.logical(given.topic),
        partition=given.partition,
        offset=given.offset,
        key_bytes=given.key,
        headers=tuple((str(name), bytes(value or b"")) for name, value in given.headers),
        value=given.value,
    )


def read(raw: Raw) -> Record:
    """Understand a record's headers. Raises Poison when they are not a CloudEvent's."""
    headers = _headers_of(raw)
    if raw.key_bytes is None:
        raise Poison("no-key")
    if len(raw.key_bytes) > MOST_KEY:
        raise Poison("long-key")
    if headers.get("ce_specversion") != "1.0":
        raise Poison("not-a-cloud-event", "ce_specversion is not 1.0")
    for name in ("ce_id", "ce_type", "ce_source", "ce_time"):
        if not headers.get(name):
            raise Poison("not-a-cloud-event", f"{name} is missing")
    sequence = headers.get("ce_sequence")
    if sequence is not None and not _SEQUENCE.fullmatch(sequence):
        raise Poison("not-a-cloud-event", "ce_sequence is not a whole number from 1")
    return Record(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        key=raw.key,
        id=headers["ce_id"],
        type=headers["ce_type"],
        source=headers["ce_source"],
        subject=headers.get("ce_subject"),
        sequence=None if sequence is None else int(sequence),
        time=_time_of(headers["ce_time"]),
        traceparent=headers.get("traceparent"),
        body=raw.value or b"",
    )


def _headers_of(raw: Raw) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw.headers:
        if not (name.startswith("ce_") or name == "traceparent"):
            continue
        if len(value) > MOST_HEADER:
            raise Poison("not-a-cloud-event", f"{name} is too long")
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            raise Poison("not-a-cloud-event", f"{name} is not UTF-8") from None
        if name in headers or "\0" in text:
            raise Poison("not-a-cloud-event", f"{name} is given twice or holds a NUL")
        headers[name] = text
    return headers


@lru_cache(maxsize=1024)
def _time_of(text: str) -> datetime:
    # What one transaction told has one time; what cannot be read is not kept.
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise Poison("not-a-cloud-event", "ce_time has no offset")
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Poison("not-a-cloud-event", "ce_time is not an instant") from None


def cloud_event_headers(
    *,
    id: str,
    type: str,
    source: str,
    subject: str | None,
    time: datetime,
    sequence: int | None,
    traceparent: str | None,
) -> list[tuple[str, bytes]]:
    """The headers of a record in binary mode; `time` is aware."""
    headers = [
        _SPECVERSION,
        ("ce_id", id.encode()),
        ("ce_type", type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", _told(time)),
        _CONTENT_TYPE,
    ]
    if subject is not None:
        headers.append(("ce_subject", subject.encode()))
    if sequence is not None:
        headers.append(("ce_sequence", b"%d" % sequence))
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    return headers


@lru_cache(maxsize=64)
def _told(time: datetime) -> bytes:
    # What one transaction wrote has one time.
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()
