"""F11: where a fact of relations is missing, its key waits, and the partition goes on."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from contracts import events, topics
from contracts.events import RelationActivated
from kit.consume import Consumer
from kit.parking import Parking
from tests.conftest import MigratedDatabase
from tests.support.fault_evidence import Evidence
from tests.support.kit import Teller, broker_with, running, teller, until
from tests.support.wallets import Purse, purse_on, relation_of
from wallet.edge.kafka import relations_reading

TOPIC = topics.RELATION.name
AT = "2026-11-22T04:00:00Z"


class Relations:
    """Tells facts of relations, each with its number, as relations does."""

    def __init__(self, tell: Teller) -> None:
        self.tell = tell

    async def activated(self, relation: RelationActivated, sequence: int) -> None:
        await self._told(relation, events.RelationActivated.TYPE, sequence, {})

    async def suspended(self, relation: RelationActivated, sequence: int) -> None:
        await self._told(relation, events.RelationSuspended.TYPE, sequence, {"suspended_at": AT})

    async def ended(self, relation: RelationActivated, sequence: int) -> None:
        why = {"reason": "will", "since": "2026-11-22", "ended_at": AT}
        await self._told(relation, events.RelationEnded.TYPE, sequence, why)

    async def _told(
        self, relation: RelationActivated, kind: str, sequence: int, more: dict[str, Any]
    ) -> None:
        beneficiary = relation.beneficiary.person_id
        body: dict[str, Any] = {
            "relation_id": relation.relation_id,
            "sharer_id": relation.sharer.person_id,
            "beneficiary_id": beneficiary,
        }
        if kind == events.RelationActivated.TYPE:
            body = relation.model_dump()
        await self.tell.tell(
            str(beneficiary), orjson.dumps(body | more), sequence=sequence, type=kind
        )


async def states(purse: Purse, person: UUID) -> list[tuple[str, bool]]:
    return [(quota["state"], quota["suspended"]) for quota in await purse.quotas(person)]


async def parked(purse: Purse) -> list[tuple[str, str]]:
    rows = await purse.cells.pools[0].fetch(
        "SELECT key, reason FROM parked WHERE resolved_at IS NULL ORDER BY parked_id"
    )
    return [(row["key"], row["reason"]) for row in rows]


@pytest.mark.fault("F11")
async def test_a_gap_in_ones_relations_stops_nobody_else(
    migrated_database: MigratedDatabase,
    kafka_bootstrap: str,
    topic_prefix: str,
    fault_evidence: Evidence,
) -> None:
    broker = await broker_with(
        kafka_bootstrap, topic_prefix, TOPIC, topics.PERSON.name, partitions=1
    )
    me, other = uuid4(), uuid4()
    mine, others = relation_of(me), relation_of(other)
    async with purse_on(migrated_database("wallet")) as purse, teller(broker, TOPIC) as tell:
        tell.source = "/relations"
        relations = Relations(tell)
        consumer = Consumer(
            name="relations",
            group="wallet.relations",
            topics=(TOPIC,),
            reading=relations_reading(purse.cells),
            submit=purse.cells.perform,
            broker=broker,
            parking=Parking(pool=purse.cells.pools[0]),
        )
        await relations.activated(mine, 1)
        await relations.ended(mine, 3)
        await relations.activated(others, 1)
        await relations.ended(others, 2)

        async def the_other_ended() -> bool:
            return await states(purse, other) == [("ended", False)]

        async def mine_waits() -> bool:
            return await parked(purse) == [(str(me), "gap")]

        async def mine_ended() -> bool:
            return await states(purse, me) == [("ended", True)]

        async with running(consumer):
            await until(the_other_ended)
            await until(mine_waits)
            fault_evidence.tell("Of one person the second of three facts comes last.")
            fault_evidence.saw("parked, and why", [why for _, why in await parked(purse)])
            assert await states(purse, me) == [("opened", False)]
            await relations.suspended(mine, 2)
            await until(mine_ended)
        assert await parked(purse) == []
        await purse.audited()
        fault_evidence.holds("the other key went on; then all three were applied in their order")
