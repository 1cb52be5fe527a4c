"""The consumer loop: the database commits first, Kafka's offset second.

One poll is in hand at a time. While the database is away its records are tried again, paused and
uncommitted; when a rebalance takes partitions away, what is in flight is finished and committed
first. A consumer that lost its partitions without noticing is harmless: positions are kept with
the changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from prometheus_client import Gauge

from kit.deliver import Delivery, Handler, Poll, Reading, Submit
from kit.faultpoint import declare, faultpoint
from kit.health import Heart
from kit.kafka import STARTED_WITHIN_SECONDS, Broker, discard_consumer
from kit.loops import happens
from kit.parking import Parking
from kit.postgres import is_passing
from kit.progress import Progress, TellReached
from kit.records import Poison, Record, Routed, raw_of
from kit.refusal import Unavailable
from kit.unreadable import is_unreadable, note_of

__all__ = ["Consumer", "Handler", "Poison", "Reading", "Record", "Routed", "Submit"]

declare("consume.after-perform", "consume.after-commit")

log = structlog.get_logger("kit.consume")

BEHIND = Gauge("consume_behind_records", "Records not yet read", ["consumer"])

POLL_MILLISECONDS = 300
COMMIT_WITHIN_SECONDS = 10.0
LET_GO_WITHIN_SECONDS = 12.0
LOOK_FOR_STALL_EVERY_SECONDS = 15.0


class ConsumerStalled(Exception):
    """Records are there, and the client brings none."""


class Consumer:
    """Reads topics for a service and delivers what they say, each key in order."""

    within = 60.0

    def __init__(
        self,
        *,
        name: str,
        group: str,
        topics: Sequence[str],
        reading: Reading,
        submit: Submit,
        broker: Broker,
        parking: Parking,
        most_records: int = 200,
        progress: TellReached | None = None,
    ) -> None:
        self.name = name
        self.topics = tuple(topics)
        self.delivery = Delivery(reading=reading, submit=submit, parking=parking)
        self._group = group
        self._broker = broker
        self._most_records = most_records
        self._tell_progress = progress
        self._idle = asyncio.Event()
        self._idle.set()
        self._leaving = asyncio.Event()

    async def run(self, heart: Heart, stopping: asyncio.Event) -> None:
        """Consume until told to stop; finishes and commits the poll in hand."""
        pause = 0.1
        while not stopping.is_set():
            try:
                await self._consume_one_session(heart, stopping)
                pause = 0.1
            except Exception as error:
                known = isinstance(error, KafkaError | Unavailable | ConsumerStalled)
                if not (known or is_passing(error)):
                    raise
                # Database or broker are away, or the client is stuck: begin anew.
                log.warning("consumer.interrupted", consumer=self.name, error=repr(error))
                heart.beat()
                await happens(stopping, pause)
                pause = min(pause * 2, 5.0)

    async def _consume_one_session(self, heart: Heart, stopping: asyncio.Event) -> None:
        client = self._broker.consumer(group=self._group)
        client.subscribe(
            [self._broker.physical(topic) for topic in self.topics], listener=_Rebalance(self)
        )
        watch = _Watch(client)
        progress = self._tell_progress and Progress(client, self._broker, self._tell_progress)
        try:
            async with asyncio.timeout(STARTED_WITHIN_SECONDS):
                await client.start()
            while not stopping.is_set():
                heart.beat()
                given = await client.getmany(
                    timeout_ms=POLL_MILLISECONDS, max_records=self._most_records
                )
                records = [record for batch in given.values() for record in batch]
                if records:
                    watch.moved()
                    if await self._handle(client, records, heart, stopping) and progress:
                        progress.performed(records)
                else:
                    BEHIND.labels(self.name).set(0)
                    await watch.look()
                if progress:
                    await progress.look()
        finally:
            self._idle.set()
            await discard_consumer(client)

    async def _handle(
        self,
        client: AIOKafkaConsumer,
        records: Sequence[Any],
        heart: Heart,
        stopping: asyncio.Event,
    ) -> bool:
        self._idle.clear()
        self._leaving.clear()
        try:
            poll = self._poll_of(records)
            offsets: dict[TopicPartition, int] = {}
            for record in records:
                offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
            delivered = await self._deliver(client, poll, list(offsets), heart, stopping)
            if delivered:
                faultpoint("consume.after-perform")
                await self._commit(client, offsets)
                faultpoint("consume.after-commit")
            ends = [client.highwater(at) for at in offsets if at in client.assignment()]
            nexts = [offset for at, offset in offsets.items() if at in client.assignment()]
            ahead = [end - at for end, at in zip(ends, nexts, strict=True) if end is not None]
            BEHIND.labels(self.name).set(sum(ahead))
            return delivered
        finally:
            self._idle.set()

    def _poll_of(self, records: Sequence[Any]) -> Poll:
        poll = Poll(pending=[])
        for record in records:
            if not is_unreadable(record):
                poll.pending.append(raw_of(record, self._broker))
                continue
            topic = self._broker.logical(record.topic)
            note = note_of(record, topic, parks_bad=self.delivery.reading.parks_bad)
            if note is not None:
                poll.notes.append(note)
        return poll

    async def _deliver(
        self,
        client: AIOKafkaConsumer,
        poll: Poll,
        partitions: Sequence[TopicPartition],
        heart: Heart,
        stopping: asyncio.Event,
    ) -> bool:
        """Deliver a poll, as often as it takes; False when it is left to whoever comes next."""
        pause = 0.1
        paused: Sequence[TopicPartition] = ()
        while True:
            try:
                await self.delivery.deliver(poll)
                break
            except Exception as error:
                if not (isinstance(error, Unavailable) or is_passing(error)):
                    raise
                log.warning("consumer.waits", consumer=self.name, error=repr(error))
            heart.beat()
            if not paused:
                paused = [each for each in partitions if each in client.assignment()]
                client.pause(*paused)
            await happens(self._leaving, pause)
            if self._leaving.is_set() or stopping.is_set() or not paused:
                return False
            # Kafka takes a consumer that does not poll for dead; paused, it gives no records.
            await client.getmany(*paused, timeout_ms=0)
            pause = min(pause * 2, 5.0)
        client.resume(*[each for each in paused if each in client.assignment()])
        return True

    async def _commit(self, client: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
        held = client.assignment()
        try:
            async with asyncio.timeout(COMMIT_WITHIN_SECONDS):
                await client.commit({each: at for each, at in offsets.items() if each in held})
        except (CommitFailedError, IllegalStateError, TimeoutError) as error:
            # Others read these records again and find them consumed.
            log.warning("consumer.not_committed", consumer=self.name, error=repr(error))

    async def let_go(self) -> None:
        """Partitions are being taken away: finish and commit what is in flight, or give it up."""
        self._leaving.set()
        if not await happens(self._idle, LET_GO_WITHIN_SECONDS):
            log.warning("consumer.lets_go_late", consumer=self.name)


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._consumer.let_go()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        log.info("consumer.assigned", consumer=self._consumer.name, partitions=len(assigned))


class _Watch:
    """Notices a client that silently brings nothing although the broker has something."""

    def __init__(self, client: AIOKafkaConsumer) -> None:
        self._client = client
        self._stuck: dict[TopicPartition, int] = {}
        self.moved()

    def moved(self) -> None:
        self._stuck = {}
        self._looked_at = asyncio.get_running_loop().time()

    async def look(self) -> None:
        """Raise ConsumerStalled when a partition stood still, with records ahead, for two looks."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at < LOOK_FOR_STALL_EVERY_SECONDS:
            return
        self._looked_at = now
        assigned = list(self._client.assignment())
        if not assigned:
            return
        async with asyncio.timeout(10):
            ends = await self._client.end_offsets(assigned)
            at = {each: await self._client.position(each) for each in assigned}
        stuck = {each: at[each] for each in assigned if at[each] < ends[each]}
        again = [each for each, offset in stuck.items() if self._stuck.get(each) == offset]
        if again:
            raise ConsumerStalled(str(again))
        self._stuck = stuck
