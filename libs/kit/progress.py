"""Progress: up to which time a consumer has read its partitions, for read models that say so.

A partition that is read to its end is read up to the moment when the broker said that this is the
end; one that is not, up to its last record that was performed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from kit.kafka import Broker
from kit.postgres import is_passing

log = structlog.get_logger("kit.progress")

TELL_EVERY_SECONDS = 0.5
LOOK_WITHIN_SECONDS = 2.0

Reached = Mapping[tuple[str, int], datetime]
"""Topic and partition → the instant up to which it was read."""

TellReached = Callable[[Reached], Awaitable[None]]


class Progress:
    """Of one session of a consumer; `tell` is told about twice a second."""

    def __init__(self, client: AIOKafkaConsumer, broker: Broker, tell: TellReached) -> None:
        self._client = client
        self._broker = broker
        self._tell = tell
        self._last: dict[TopicPartition, int] = {}
        self._told_at = float("-inf")

    def performed(self, records: Sequence[Any]) -> None:
        """These records of one poll are performed or parked."""
        for record in records:
            self._last[TopicPartition(record.topic, record.partition)] = record.timestamp

    async def look(self) -> None:
        """Tell how far it has come, unless that was told just now. No failure of its own."""
        now = asyncio.get_running_loop().time()
        if now - self._told_at < TELL_EVERY_SECONDS:
            return
        self._told_at = now
        try:
            async with asyncio.timeout(LOOK_WITHIN_SECONDS):
                reached = await self._reached()
                if reached:
                    await self._tell(reached)
        except Exception as error:
            if not (isinstance(error, KafkaError) or is_passing(error)):
                raise
            log.warning("progress.not_told", error=repr(error))

    async def _reached(self) -> Reached:
        reached = {}
        for at in self._client.assignment():
            end, looked = self._client.highwater(at), self._client.last_poll_timestamp(at)
            if end is None or looked is None:
                continue
            is_at_the_end = await self._client.position(at) >= end
            milliseconds = looked if is_at_the_end else self._last.get(at)
            if milliseconds is not None:
                name = self._broker.logical(at.topic), at.partition
                reached[name] = datetime.fromtimestamp(milliseconds / 1000, UTC)
        return reached
