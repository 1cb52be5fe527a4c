"""Kafka beside a town: what stands in its topics, who reads them, and records of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol

from kit.kafka import MOST_RECORD_BYTES, Broker
from proof.adapters import Record, read_topics
from tests.support.town_until import until

Headers = Sequence[tuple[str, bytes]]
Holding = Mapping[str, frozenset[tuple[str, int]]]
"""Member of a group → the partitions it has."""


class Bus:
    """One producer and one admin client for a test."""

    def __init__(
        self,
        broker: Broker,
        producer: AIOKafkaProducer,
        admin: AIOKafkaAdminClient,
        looker: AIOKafkaConsumer,
    ) -> None:
        self._broker = broker
        self._producer = producer
        self._admin = admin
        self._looker = looker

    def logical(self, topic: str) -> str:
        """A topic without the town's prefix."""
        return self._broker.logical(topic)

    async def write(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers
    ) -> tuple[int, int]:
        """Where the record came to stand: partition and offset."""
        sent = await self._producer.send_and_wait(
            self._broker.physical(topic), key=key, value=value, headers=list(headers)
        )
        return sent.partition, sent.offset

    async def write_again(self, records: Iterable[Record]) -> None:
        """Deliver the very same records once more, in this order."""
        waiting = [
            await self._producer.send(
                self._broker.physical(each.topic),
                key=each.key,
                value=each.value,
                headers=list(each.headers),
            )
            for each in records
        ]
        await asyncio.gather(*waiting)

    async def read(self, *topics: str) -> list[Record]:
        """Everything in these topics now, or in all; by topic, partition and offset."""
        records = await read_topics(self._broker.bootstrap_servers, self._broker.prefix)
        return sorted(
            (each for each in records if not topics or each.topic in topics),
            key=lambda each: (each.topic, each.partition, each.offset),
        )

    async def groups(self) -> list[str]:
        """The consumer groups of this town, without its prefix."""
        listed = await self._admin.list_consumer_groups()
        prefix = self._broker.prefix
        return sorted(name[len(prefix) :] for name, _ in listed if name.startswith(prefix))

    async def members(self, group: str) -> Holding | None:
        """Who reads for a group, and which partitions each has; None while that is changing."""
        [described] = await self._admin.describe_consumer_groups([self._broker.physical(group)])
        [(_, _, state, _, _, members, *_)] = described.groups
        if state not in ("Stable", "Empty"):
            return None
        held: dict[str, frozenset[tuple[str, int]]] = {}
        for member_id, _, _, _, assignment in members:
            found = ConsumerProtocol.ASSIGNMENT.decode(assignment).assignment if assignment else []
            held[member_id] = frozenset((t, p) for t, parts in found for p in parts)
        return held

    async def shared(self, group: str, members: int, within: float = 45.0) -> Holding:
        """The partitions of a group once so many members share all of them."""

        async def is_shared() -> Holding | None:
            held = await self.members(group)
            everybody_has_some = held is not None and len(held) == members and all(held.values())
            return held if everybody_has_some else None

        return await until(is_shared, f"{members} members of {group}", within)

    async def lag(self, group: str) -> int:
        """Records in partitions of a group that it has not committed yet; some, while unsettled."""
        committed = await self._admin.list_consumer_group_offsets(self._broker.physical(group))
        members = await self.members(group)
        if members is None:
            return 1
        held = {TopicPartition(*each) for parts in members.values() for each in parts}
        parts = sorted(held | committed.keys())
        ends = await self._looker.end_offsets(parts) if parts else {}
        at = {part: committed[part].offset if part in committed else 0 for part in parts}
        return sum(int(ends[part]) - at[part] for part in parts)

    async def caught_up(self, within: float) -> None:
        """Wait until every group of the town has committed everything."""

        async def nothing_left() -> bool:
            lags = await asyncio.gather(*map(self.lag, await self.groups()))
            return not any(lags)

        await until(nothing_left, "everything is consumed", within)

    async def rewind(self, group: str) -> int:
        """Have a group without members begin anew; the number of partitions rewound.

        What a group has never read a record of it begins at the beginning anyway.
        """
        committed = await self._admin.list_consumer_group_offsets(self._broker.physical(group))
        if not committed:
            return 0
        client = self._broker.consumer(group=group)
        await client.start()
        try:
            client.assign(list(committed))  # joins no group
            await client.commit(dict.fromkeys(committed, 0))
        finally:
            await client.stop()
        return len(committed)


@asynccontextmanager
async def bus_of(broker: Broker) -> AsyncIterator[Bus]:
    producer = broker.producer(max_request_size=MOST_RECORD_BYTES)
    admin = broker.admin()
    looker = broker.consumer(group=None)
    await asyncio.gather(producer.start(), admin.start(), looker.start())
    try:
        yield Bus(broker, producer, admin, looker)
    finally:
        await asyncio.gather(producer.stop(), admin.close(), looker.stop())
