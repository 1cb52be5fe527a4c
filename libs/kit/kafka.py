"""Kafka: where the broker is, what topics are called on it, and clients set up as we need them.

Topics have a logical name in the code; the prefix that keeps runs apart on a shared broker is
added here and nowhere else.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

log = structlog.get_logger("kit.kafka")

TOPIC_ALREADY_EXISTS = 36
_M, _U32 = 0x5BD1E995, 0xFFFFFFFF
STARTED_WITHIN_SECONDS = 20.0
MOST_RECORD_BYTES = 8 << 20
"""What the broker may carry in one record: more than we accept, so that it can be parked."""
CONFIGURATION = {
    "max.message.bytes": str(MOST_RECORD_BYTES),
    # One batch in a codec that our client lacks would stop the reader of its whole partition, so
    # the broker keeps none.
    "compression.type": "uncompressed",
}


class TopicSpec(Protocol):
    """A topic by its logical name. The number of partitions is chosen once and never changes."""

    @property
    def name(self) -> str: ...

    @property
    def partitions(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic of the kit's own."""

    name: str
    partitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where Kafka is, and how it is spoken to; `options` go to every client (TLS, SASL)."""

    bootstrap_servers: str
    prefix: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def physical(self, name: str) -> str:
        """What a topic or group is called on the broker."""
        return self.prefix + name

    def logical(self, name: str) -> str:
        assert name.startswith(self.prefix), f"{name} is not one of ours"
        return name[len(self.prefix) :]

    def producer(self, **settings: Any) -> AIOKafkaProducer:
        """An idempotent producer that waits for all replicas; start() and stop() are yours."""
        chosen: dict[str, Any] = {
            "acks": "all",
            "enable_idempotence": True,
            "partitioner": partition_of,
            "max_batch_size": 128 << 10,
            "max_request_size": 1 << 20,
            "request_timeout_ms": 15_000,
            "metadata_max_age_ms": 30_000,
        }
        return AIOKafkaProducer(
            bootstrap_servers=self.bootstrap_servers, **(chosen | settings | dict(self.options))
        )

    def consumer(self, *, group: str | None, **settings: Any) -> AIOKafkaConsumer:
        """A consumer that commits only when told to; subscribe, start() and stop() are yours."""
        chosen: dict[str, Any] = {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_uncommitted",
            "fetch_max_wait_ms": 200,
            "max_partition_fetch_bytes": 256 << 10,
            "session_timeout_ms": 10_000,
            "heartbeat_interval_ms": 2_000,
            "max_poll_interval_ms": 60_000,
            "metadata_max_age_ms": 30_000,
            "request_timeout_ms": 15_000,
        }
        return AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers,
            group_id=None if group is None else self.physical(group),
            **(chosen | settings | dict(self.options)),
        )

    def admin(self) -> AIOKafkaAdminClient:
        chosen = {"request_timeout_ms": 15_000} | dict(self.options)
        return AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, **chosen)


@lru_cache(maxsize=65_536)
def murmur2(key: bytes) -> int:
    """MurmurHash 2 of 32 bits as Java's clients compute it, unsigned.

    aiokafka has it byte by byte, which took a fifth of the relay's time.
    """
    words, rest = divmod(len(key), 4)
    hashed = 0x9747B28C ^ len(key)
    for word in struct.unpack_from(f"<{words}I", key):
        mixed = word * _M & _U32
        mixed ^= mixed >> 24
        hashed = (hashed * _M & _U32) ^ (mixed * _M & _U32)
    if rest:
        hashed = (hashed ^ int.from_bytes(key[-rest:], "little")) * _M & _U32
    hashed = (hashed ^ (hashed >> 13)) * _M & _U32
    return hashed ^ (hashed >> 15)


def partition_of(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """The partition of a key, as Java's clients choose it (murmur2), so that order holds."""
    if key is None:
        return (available or partitions)[0]
    return partitions[(murmur2(key) & 0x7FFFFFFF) % len(partitions)]


async def ensure_topics(broker: Broker, topics: Sequence[TopicSpec]) -> None:
    """Create the topics that do not exist yet and wait until the broker shows all of them.

    Raises a KafkaError when the broker cannot be had.
    """
    admin = broker.admin()
    await admin.start()
    try:
        wanted = {broker.physical(topic.name): topic for topic in topics}
        missing = wanted.keys() - set(await admin.list_topics())
        if missing:
            await _create(admin, {name: wanted[name] for name in sorted(missing)})
        await _wait_until_visible(admin, sorted(wanted))
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: Mapping[str, TopicSpec]) -> None:
    answer = await admin.create_topics(
        [
            NewTopic(
                name=name,
                num_partitions=topic.partitions,
                replication_factor=-1,  # the broker's own default; aiokafka then wants this:
                replica_assignments={},
                topic_configs=CONFIGURATION,
            )
            for name, topic in topics.items()
        ]
    )
    for name, code, *why in answer.topic_errors:
        # Another process may have been quicker.
        if code not in (0, TOPIC_ALREADY_EXISTS):
            raise KafkaError(f"topic {name} could not be created: {code} {why}")
    log.info("topics.created", topics=list(topics))


async def _wait_until_visible(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    async with asyncio.timeout(30):
        while True:
            described = await admin.describe_topics(list(names))
            ready = [
                topic
                for topic in described
                if topic["error_code"] == 0
                and all(partition["leader"] >= 0 for partition in topic["partitions"])
            ]
            if len(ready) == len(names):
                return
            # The broker has no call that waits for this.
            await asyncio.sleep(0.05)


async def discard_producer(producer: AIOKafkaProducer) -> None:
    """Stop a producer for good. What it could not deliver in a second is not delivered."""
    try:
        async with asyncio.timeout(1):
            await producer.stop()
    except TimeoutError:
        # aiokafka flushes before it closes, for ever when the broker is away, and when cancelled
        # leaves its sender running.
        await producer._sender.close()
        await producer.client.close()


async def discard_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer for good, also while the broker is away. Leaves nothing running."""
    try:
        async with asyncio.timeout(5):
            await consumer.stop()
    except (asyncio.CancelledError, TimeoutError):
        # With requests on their way aiokafka lets the cancellation of its own tasks out of stop(),
        # before it closed its connections; only a cancellation of ours may end whoever calls.
        await consumer._client.close()
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


async def reach(broker: Broker) -> None:
    """Ask the broker for its metadata; raises a KafkaError when it does not answer."""
    admin = broker.admin()
    try:
        await admin.start()
    finally:
        await admin.close()
