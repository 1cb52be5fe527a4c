"""Creates a service's topics as soon as there is a broker; what reads or writes them waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka.errors import KafkaError

from kit.health import Heart, NotReady
from kit.kafka import Broker, TopicSpec, ensure_topics
from kit.loops import happens

log = structlog.get_logger("kit.topics")


class TopicsLoop:
    """Tries until all topics are there; `ready` tells."""

    name = "topics"
    within = 60.0

    def __init__(self, broker: Broker, topics: Sequence[TopicSpec]) -> None:
        self._broker = broker
        self._topics = topics
        self.ready = asyncio.Event()

    async def check(self) -> None:
        if not self.ready.is_set():
            raise NotReady("the topics are not there yet")

    async def run(self, heart: Heart, stopping: asyncio.Event) -> None:
        while not self.ready.is_set() and not stopping.is_set():
            heart.beat()
            try:
                await ensure_topics(self._broker, self._topics)
                self.ready.set()
            except (KafkaError, OSError) as error:
                log.warning("topics.awaited", error=repr(error))
                await happens(stopping, 1.0)
