"""Kafka as an outsider reads and writes it: kafka-python, CloudEvents in binary mode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.partitioner.default import murmur2


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    def header(self, name: str) -> str:
        return next((value.decode() for each, value in self.headers if each == name), "")

    @property
    def type(self) -> str:
        return self.header("ce_type")

    @property
    def json(self) -> Any:
        return json.loads(self.value)


class Bus:
    """Reads whole topics from their beginning, and writes single records."""

    def __init__(self, bootstrap: list[str], prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")

    def __enter__(self) -> Bus:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close()

    def topics(self) -> list[str]:
        """All topics of this stack, without its prefix."""
        consumer = KafkaConsumer(bootstrap_servers=self._bootstrap)
        try:
            found = sorted(consumer.topics())
        finally:
            consumer.close()
        ours = [name for name in found if name.startswith(self._prefix)]
        return [name.removeprefix(self._prefix) for name in ours if not name.startswith("__")]

    def partitions(self, topic: str) -> int:
        consumer = KafkaConsumer(bootstrap_servers=self._bootstrap)
        try:
            return len(consumer.partitions_for_topic(self._prefix + topic) or ())
        finally:
            consumer.close()

    def read(self, *topics: str) -> list[Record]:
        """Everything that is in these topics now, by topic, partition and offset."""
        records = list(self._read([self._prefix + topic for topic in topics]))
        return sorted(records, key=lambda each: (each.topic, each.partition, each.offset))

    def _read(self, names: list[str]) -> Iterator[Record]:
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            max_partition_fetch_bytes=8 << 20,
        )
        try:
            parts = [
                TopicPartition(name, partition)
                for name in names
                for partition in consumer.partitions_for_topic(name) or ()
            ]
            consumer.assign(parts)
            ends = consumer.end_offsets(parts)
            consumer.seek_to_beginning(*parts)
            while any(consumer.position(part) < ends[part] for part in parts):
                for part, records in consumer.poll(timeout_ms=1000).items():
                    for each in records:
                        if each.offset < ends[part]:
                            yield self._record(each)
        finally:
            consumer.close()

    def _record(self, each: Any) -> Record:
        return Record(
            topic=each.topic.removeprefix(self._prefix),
            partition=each.partition,
            offset=each.offset,
            key=each.key,
            value=each.value or b"",
            headers=tuple((name, value or b"") for name, value in each.headers),
        )

    def write(
        self, topic: str, key: str, value: bytes, headers: dict[str, str] | None = None
    ) -> None:
        told = [(name, text.encode()) for name, text in (headers or {}).items()]
        sent = self._producer.send(
            self._prefix + topic, key=key.encode(), value=value, headers=told
        )
        sent.get(timeout=10)

    def write_again(self, record: Record) -> None:
        """Deliver the very same record once more."""
        sent = self._producer.send(
            self._prefix + record.topic,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
        )
        sent.get(timeout=10)


def partition_of(key: bytes, partitions: int) -> int:
    """Where murmur2 puts a key."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
