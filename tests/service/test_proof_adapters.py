"""The proofs read real databases, topics and logs, and find there what was planted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from proof.adapters import passages_of, read_logs, read_topics
from proof.databases import count_unsettled, dump, read_consumed, read_ledger, read_outbox
from proof.ledger import conservation, overdraft, recomputed
from proof.privacy import Secrets, disclosed
from proof.watch import Watcher
from tests.conftest import MigratedDatabase

NAME = "示例·甲子乙丑"

_QUOTA = """
INSERT INTO cell_0.quota (
    quota_id, relation_id, beneficiary_id, sharer_id, sharer_psn_no, sharer_admdvs, kind,
    related_at, state, granted, available
) VALUES ($1, $2, $3, $4, 'S1', '440300', 'parent', now(), 'active', 100, 100)
"""
_ENTRY = """
INSERT INTO cell_0.entry (quota_id, source, target, amount, order_id, at)
VALUES ($1, 'province', 'available', $2, $3, now())
"""
_TOLD = """
WITH written AS (
    INSERT INTO cell_0.outbox (topic, key, sequence, event_id, type, subject, data, written_at)
    VALUES ('wallet.quota', 'A', 1, $1, 'quota.granted.v1', 'A', $2, now())
    RETURNING position
)
INSERT INTO cell_0.unpublished SELECT position FROM written
"""


async def test_books_are_read_and_a_planted_entry_is_found(
    migrated_database: MigratedDatabase,
) -> None:
    dsn = migrated_database("wallet", 2)
    quota_id = uuid4()
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_QUOTA, quota_id, uuid4(), uuid4(), uuid4())
        await connection.execute(_ENTRY, quota_id, 100, uuid4())
        clean = await read_ledger(dsn)
        assert [quota.quota_id for quota in clean.quotas] == [str(quota_id)]
        assert conservation(clean) == overdraft(clean) == recomputed(clean) == []

        await connection.execute(_ENTRY, quota_id, 1, uuid4())
        assert len(recomputed(await read_ledger(dsn))) == 2, "in available and in granted"
    finally:
        await connection.close()


async def test_a_watcher_sees_what_was_wrong_for_a_moment(
    migrated_database: MigratedDatabase,
) -> None:
    dsn = migrated_database("wallet")
    quota_id = uuid4()
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_QUOTA, quota_id, uuid4(), uuid4(), uuid4())
        async with asyncio.timeout(20), Watcher(dsn, every_seconds=0.01) as watcher:
            while not watcher.violations:
                await watcher.another()
            await connection.execute(_ENTRY, quota_id, 100, uuid4())
            await watcher.another()
            before = len(watcher.violations)
            for _ in range(3):
                await watcher.another()
        assert len(watcher.violations) <= before + 2, "the last snapshots were clean"
        assert str(quota_id) in watcher.violations[0]
    finally:
        await connection.close()


async def test_an_event_that_waits_and_a_name_in_it_are_found(
    migrated_database: MigratedDatabase,
) -> None:
    dsn = migrated_database("wallet")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_TOLD, uuid4(), f'{{"name": "{NAME}"}}'.encode())
    finally:
        await connection.close()
    assert await count_unsettled({"wallet": dsn}) == {"wallet.cell_0.outbox": 1}
    [told] = await read_outbox(dsn)
    assert (told.topic, told.sequence, told.published) == ("wallet.quota", 1, False)
    assert await read_consumed("wallet", dsn) == ([], set())
    passages = [passage async for passage in dump("wallet", dsn)]
    assert disclosed(Secrets([NAME]), passages) == [
        "1 identity numbers or names in wallet.cell_0.outbox"
    ]


async def test_topics_are_read_whole(kafka_bootstrap: str, topic_prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    name = f"{topic_prefix}wallet.quota"
    await admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    for n in range(50):
        headers = [("ce_id", f"e{n}".encode()), ("ce_sequence", b"1"), ("x", NAME.encode())]
        await producer.send_and_wait(name, b"{}", key=f"k{n}".encode(), headers=headers)
    await producer.stop()

    records = await read_topics(kafka_bootstrap, topic_prefix)
    published = [record.published() for record in records]
    assert {each.event_id for each in published} == {f"e{n}" for n in range(50)}
    assert {each.topic for each in published} == {"wallet.quota"}
    assert disclosed(Secrets([NAME]), passages_of(records)) == [
        "50 identity numbers or names in topic wallet.quota"
    ]


def test_logs_are_read(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "wallet.log").write_text(f"paid for {NAME}\n")
    (tmp_path / "gateway.log").write_text("paid\n")
    assert disclosed(Secrets([NAME]), read_logs(tmp_path)) == [
        "1 identity numbers or names in log wallet.log"
    ]
