"""Publishing a chunk of the outbox: in batches, each partition's one after another.

    rows ── by topic and key ──▶ lanes, one a partition ── batch by batch ──▶ broker

A lane sends its next batch when the one before it is acknowledged and stops at the first error,
so that no record of a key overtakes an earlier one, whatever becomes of a batch. Lanes do not wait
for one another: what the outbox may forget is the prefix of the chunk that is acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from kit.kafka import Broker, partition_of
from kit.records import cloud_event_headers

ACKNOWLEDGED_WITHIN_SECONDS = 20.0


@dataclass(slots=True)
class _Lane:
    """What goes to one partition; of its batches, how many are acknowledged."""

    producer: AIOKafkaProducer
    topic: str
    partition: int
    batches: list[BatchBuilder] = field(default_factory=list)
    acknowledged: int = 0

    def add(self, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> int:
        """Pack a record; the number of the batch that holds it."""
        if not self.batches or not self._packed(key, value, headers):
            self.batches.append(self.producer.create_batch())
            assert self._packed(key, value, headers), "an empty batch takes any record"
        return len(self.batches) - 1

    def _packed(self, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> bool:
        batch = self.batches[-1]
        return batch.append(timestamp=None, key=key, value=value, headers=headers) is not None

    async def send(self) -> None:
        for batch in self.batches:
            await (await self.producer.send_batch(batch, self.topic, partition=self.partition))
            self.acknowledged += 1


class Publisher:
    """Publishes rows of an outbox through a started producer that nobody else uses."""

    def __init__(
        self, producer: AIOKafkaProducer, broker: Broker, source_of: Callable[[str], str]
    ) -> None:
        self._producer = producer
        self._broker = broker
        self._source_of = source_of

    async def publish(self, rows: Sequence[asyncpg.Record]) -> tuple[int, BaseException | None]:
        """Send all; returns the length of the acknowledged prefix and what ended it."""
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_SECONDS):
                partitions, unknown = await self._partitions_of(rows)
        except TimeoutError as late:
            return 0, late
        lanes: dict[tuple[str, int], _Lane] = {}
        placed = [self._place(lanes, row, partitions) for row in _before(unknown, rows)]
        error = await _sent(list(lanes.values()))
        for n, (lane, number) in enumerate(placed):
            if number >= lane.acknowledged:
                return n, error
        return len(placed), error or (unknown[1] if unknown else None)

    async def _partitions_of(
        self, rows: Sequence[asyncpg.Record]
    ) -> tuple[dict[str, list[int]], tuple[str, KafkaError] | None]:
        """The partitions of each topic, up to the first that the broker does not show."""
        partitions: dict[str, list[int]] = {}
        for topic in dict.fromkeys(row["topic"] for row in rows):
            name = self._broker.physical(topic)
            try:
                partitions[topic] = sorted(await self._producer.partitions_for(name))
            except KafkaError as error:
                return partitions, (topic, error)
        return partitions, None

    def _place(
        self,
        lanes: dict[tuple[str, int], _Lane],
        row: asyncpg.Record,
        partitions: dict[str, list[int]],
    ) -> tuple[_Lane, int]:
        topic, key = row["topic"], row["key"].encode()
        partition = partition_of(key, partitions[topic], ())
        lane = lanes.get((topic, partition))
        if lane is None:
            name = self._broker.physical(topic)
            lane = lanes[topic, partition] = _Lane(self._producer, name, partition)
        headers = cloud_event_headers(
            id=str(row["event_id"]),
            type=row["type"],
            source=self._source_of(topic),
            subject=row["subject"],
            time=row["written_at"],
            sequence=row["sequence"],
            traceparent=row["traceparent"],
        )
        return lane, lane.add(key, row["data"], headers)


def _before(
    unknown: tuple[str, KafkaError] | None, rows: Sequence[asyncpg.Record]
) -> Sequence[asyncpg.Record]:
    if unknown is None:
        return rows
    first = next(n for n, row in enumerate(rows) if row["topic"] == unknown[0])
    return rows[:first]


async def _sent(lanes: Sequence[_Lane]) -> BaseException | None:
    """Send all lanes to their ends; the first error, if there was one."""
    if not lanes:
        return None
    tasks = [asyncio.create_task(lane.send()) for lane in lanes]
    try:
        # An idempotent producer tries for ever.
        _, late = await asyncio.wait(tasks, timeout=ACKNOWLEDGED_WITHIN_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
    errors = [task.exception() for task in tasks if task not in late]
    found = next((error for error in errors if error is not None), None)
    return TimeoutError("Kafka did not acknowledge") if found is None and late else found
