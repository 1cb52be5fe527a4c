"""Dead letters: each parked record is published once to `dead.<service>`, as it came.

The headers are the record's own, and `dead_…` ones: why, how often and when it failed, and where
it was. A record whose publication was not seen to succeed is published again.
"""

from __future__ import annotations

import asyncio

import structlog
from aiokafka.errors import KafkaError

from kit.faultpoint import declare, faultpoint
from kit.health import Heart
from kit.kafka import MOST_RECORD_BYTES, STARTED_WITHIN_SECONDS, Broker, Topic, discard_producer
from kit.loops import happens
from kit.parking import Parked, Parking
from kit.postgres import is_passing

declare("dead-letters.after-publish")

log = structlog.get_logger("kit.dead_letters")

LOOK_EVERY_SECONDS = 0.3
COUNT_EVERY_LOOKS = 20
SENT_WITHIN_SECONDS = 10.0
MOST_AT_ONCE = 10


class DeadLetters:
    """The loop that publishes what was parked; one process of the service does it at a time."""

    name = "dead-letters"
    within = 60.0

    def __init__(self, *, service: str, parking: Parking, broker: Broker) -> None:
        self._topic = dead_topic(service)
        self._parking = parking
        self._broker = broker

    async def run(self, heart: Heart, stopping: asyncio.Event) -> None:
        pause = LOOK_EVERY_SECONDS
        looks = 0
        while not stopping.is_set():
            heart.beat()
            try:
                await self.publish_once()
                if looks % COUNT_EVERY_LOOKS == 0:
                    await self._parking.count()
                looks += 1
                pause = LOOK_EVERY_SECONDS
            except Exception as error:
                if not (isinstance(error, KafkaError) or is_passing(error)):
                    raise
                log.warning("dead_letters.interrupted", error=repr(error))
                pause = min(pause * 2, 5.0)
            await happens(stopping, pause)

    async def publish_once(self) -> int:
        """Publish what is not published yet; returns how many."""
        if not await self._parking.has_unpublished():
            return 0
        sent = 0
        async with self._parking.publishing() as publishing:
            if publishing is None:
                return 0
            producer = self._broker.producer(max_request_size=MOST_RECORD_BYTES)
            try:
                async with asyncio.timeout(STARTED_WITHIN_SECONDS):
                    await producer.start()
                while rows := await publishing.unpublished(MOST_AT_ONCE):
                    for parked in rows:
                        async with asyncio.timeout(SENT_WITHIN_SECONDS):
                            await producer.send_and_wait(
                                self._broker.physical(self._topic.name),
                                key=parked.raw.key_bytes,
                                value=parked.raw.value or b"",
                                headers=[*parked.raw.headers, *_why(parked)],
                            )
                        faultpoint("dead-letters.after-publish")
                        await publishing.mark(parked.parked_id)
                        sent += 1
            finally:
                await discard_producer(producer)
        return sent


def dead_topic(service: str) -> Topic:
    """Where a service publishes what it parked."""
    return Topic(name=f"dead.{service}", partitions=1)


def _why(parked: Parked) -> list[tuple[str, bytes]]:
    said = {
        "dead_reason": parked.reason,
        "dead_attempts": str(parked.attempts),
        "dead_first_at": parked.first_at.isoformat(),
        "dead_last_at": parked.last_at.isoformat(),
        "dead_topic": parked.raw.topic,
        "dead_partition": str(parked.raw.partition),
        "dead_offset": str(parked.raw.offset),
    }
    return [(name, value.encode()) for name, value in said.items()]
