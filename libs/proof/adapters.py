"""Reading plain rows from the rest of a stack: topics, logs, metrics, the made-up world."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient

from proof.rows import Passage, Published

SERVICES = ("gateway", "relations", "wallet", "settlement", "sandbox")
POLL_MILLISECONDS = 500
MOST_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record of a topic as it stands there; `topic` is without the stack's prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    def header(self, name: str) -> str:
        found = (value for each, value in self.headers if each == name)
        return next(found, b"").decode(errors="replace")

    def published(self) -> Published:
        sequence = self.header("ce_sequence")
        return Published(
            topic=self.topic,
            partition=self.partition,
            offset=self.offset,
            event_id=self.header("ce_id"),
            source=self.header("ce_source"),
            key=self.key.decode(errors="backslashreplace"),
            sequence=int(sequence) if sequence.isdecimal() else None,
        )

    def passage(self) -> bytes:
        return b"\n".join([self.key, self.value, *(value for _, value in self.headers)])


async def read_topics(
    bootstrap: str,
    prefix: str = "",
    *,
    topics: Sequence[str] = ("",),
    types: Collection[str] | None = None,
) -> list[Record]:
    """Everything that is in the stack's topics now.

    Or only what is in topics that begin in one of these ways, and of it only these types.
    """
    found = await _partitions(bootstrap, prefix)
    begin = tuple(prefix + each for each in topics)
    parts = [part for part in found if part.topic.startswith(begin)]
    if not parts:
        return []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        max_partition_fetch_bytes=MOST_BYTES,
    )
    await consumer.start()
    try:
        return await _read(consumer, parts, prefix, types)
    finally:
        await consumer.stop()


async def _partitions(bootstrap: str, prefix: str) -> list[TopicPartition]:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        cluster = await client.fetch_all_metadata()
        return [
            TopicPartition(name, partition)
            for name in sorted(cluster.topics())
            if name.startswith(prefix) and not name.startswith("__")
            for partition in sorted(cluster.partitions_for_topic(name) or ())
        ]
    finally:
        await client.close()


async def _read(
    consumer: AIOKafkaConsumer,
    parts: list[TopicPartition],
    prefix: str,
    types: Collection[str] | None,
) -> list[Record]:
    consumer.assign(parts)
    ends = await consumer.end_offsets(parts)
    starts = await consumer.beginning_offsets(parts)
    left = {part for part in parts if starts[part] < ends[part]}
    if left:
        consumer.assign(sorted(left))
        await consumer.seek_to_beginning()
    records: list[Record] = []
    while left:
        polled = await consumer.getmany(timeout_ms=POLL_MILLISECONDS)
        for part, found in polled.items():
            read = [_record(each, prefix) for each in found if each.offset < ends[part]]
            records += [each for each in read if types is None or each.header("ce_type") in types]
        left = {part for part in left if await consumer.position(part) < ends[part]}
    return records


def _record(each: Any, prefix: str) -> Record:
    return Record(
        topic=each.topic.removeprefix(prefix),
        partition=each.partition,
        offset=each.offset,
        key=each.key or b"",
        value=each.value or b"",
        headers=tuple((name, bytes(value or b"")) for name, value in each.headers),
    )


def passages_of(records: Iterable[Record]) -> Iterator[Passage]:
    """One passage a topic."""
    by_topic: dict[str, list[bytes]] = {}
    for record in records:
        by_topic.setdefault(record.topic, []).append(record.passage())
    for topic, contents in sorted(by_topic.items()):
        yield Passage(where=f"topic {topic}", content=b"\n".join(contents))


def read_logs(folder: Path) -> Iterator[Passage]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield Passage(where=f"log {file.name}", content=file.read_bytes())


async def read_metrics(stack: Mapping[str, Any]) -> list[Passage]:
    return [
        Passage(where=f"metrics of {name}", content=await fetch(f"{stack[name]}/metrics"))
        for name in SERVICES
        if name in stack
    ]


async def read_secrets(stack: Mapping[str, Any]) -> list[str]:
    """The identity numbers and names of everybody in the made-up world."""
    world = json.loads(await fetch(f"{stack['sandbox']}/world"))
    return [person[field] for person in world["people"] for field in ("cert_no", "name")]


async def fetch(url: str) -> bytes:
    return await asyncio.to_thread(_fetch, url)


def _fetch(url: str) -> bytes:
    # A proxy of the machine has no business between the parts of a stack.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=20) as response:
        return bytes(response.read())
