"""Unreadable records: those that our Kafka client cannot unpack, such as a header's name that is
no UTF-8.

For one of them the client gives up the whole batch, those before and behind it included, each time
it is read: seeking past it does not help. So the client gets batches from here that, where one
record cannot be unpacked, give a placeholder in its place and all the others as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import structlog
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import _MemoryRecordsPy
from aiokafka.record.util import decode_varint_py

from kit.deliver import DELIVERED
from kit.parking import Note
from kit.records import Raw

log = structlog.get_logger("kit.unreadable")

UNREADABLE = "unreadable"
MOST_DETAIL = 200


class _Why(str):
    """The only header's name of a placeholder; nobody can send one, for it is a type of ours."""

    __slots__ = ()


class _Batch:
    """A batch as the client unpacks it, and one record at a time once that has failed."""

    def __init__(self, batch: Any, content: memoryview) -> None:
        self._batch = batch
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        given = 0
        try:
            for record in self._batch:
                yield record
                given += 1
            return
        except Exception as error:
            # What a record's bytes can raise in the client is not known beforehand.
            log.warning("batch.unreadable", error=repr(error)[:MOST_DETAIL])
        yield from islice(_singly(_DefaultRecordBatchPy(self._content)), given, None)


class _Batches(_MemoryRecordsPy):  # type: ignore[misc] # aiokafka has no types
    """What one fetch brought."""

    def next_batch(self, *args: Any) -> Any:
        content = self._next_slice
        batch: Any = super().next_batch(*args)
        old = batch is None or content is None or content[self.MAGIC_OFFSET] < 2
        return batch if old or batch.is_control_batch else _Batch(batch, content)


def _singly(batch: Any) -> Iterator[Any]:
    """Each record of a batch, or its placeholder. Raises what the client does when even a record's
    length or offset makes no sense: the broker checks those, so its disk must be at fault.
    """
    iter(batch)  # unpacks what is compressed
    for _ in range(batch._num_records):
        start = batch._pos
        try:
            record = batch._read_msg()
        except Exception as error:
            # As above; where the next record begins is known from the length of this one.
            length, at = decode_varint_py(batch._buffer, start)
            end = at + length
            if length <= 0 or end > len(batch._buffer):
                raise
            for _skipped in ("attributes", "timestamp"):
                _, at = decode_varint_py(batch._buffer, at)
            delta, _ = decode_varint_py(batch._buffer, at)
            batch._pos = end
            record = _DefaultRecordPy(
                batch.base_offset + delta,
                batch.max_timestamp,
                batch.timestamp_type,
                None,
                None,
                [(_Why(repr(error)[:MOST_DETAIL]), b"")],
            )
        yield record


# The client has no setting for this.
fetcher.MemoryRecords = _Batches


def is_unreadable(given: Any) -> bool:
    return bool(given.headers) and isinstance(given.headers[0][0], _Why)


def note_of(given: Any, topic: str, *, parks_bad: bool) -> Note | None:
    """What is kept of an unreadable record: its place; None if it is left to others.

    It has no key, so nothing that has one waits behind it.
    """
    raw = Raw(
        topic=topic,
        partition=given.partition,
        offset=given.offset,
        key_bytes=None,
        headers=(),
        value=None,
    )
    detail = str(given.headers[0][0])
    DELIVERED.labels(topic, UNREADABLE if parks_bad else "left").inc()
    log.error("record.unreadable", place=raw.place, parked=parks_bad, error=detail)
    return Note(raw=raw, reason=UNREADABLE, detail=detail) if parks_bad else None
