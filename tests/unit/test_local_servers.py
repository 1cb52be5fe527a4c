"""The servers that tests and laptops stand on."""

from __future__ import annotations

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.foreign import delete_topics
from deploy.local.kafka import LARGEST_RECORD
from deploy.local.postgres import named
from tests.conftest import MakeDatabase, MigratedDatabase


async def test_a_database_of_ones_own(make_database: MakeDatabase) -> None:
    first = await asyncpg.connect(make_database("Mine & only"))
    second = await asyncpg.connect(make_database("yours"))
    try:
        await first.execute("CREATE TABLE quota (available_fen bigint)")
        assert await second.fetchval("SELECT to_regclass('quota')") is None
        assert int(await first.fetchval("SHOW server_version_num")) >= 180000
        assert await first.fetchval("SELECT '\u5171\u6d4e' COLLATE \"C\" > 'a'")
    finally:
        await first.close()
        await second.close()


async def test_a_migrated_database_is_a_clone(migrated_database: MigratedDatabase) -> None:
    first, second = migrated_database("wallet"), migrated_database("wallet")
    assert first != second
    connection = await asyncpg.connect(second)
    try:
        assert await connection.fetchval("SELECT count(*) FROM cell_0.migration") > 0
    finally:
        await connection.close()


async def test_the_durable_cluster_keeps_its_promises(durable_postgres: str) -> None:
    connection = await asyncpg.connect(durable_postgres)
    try:
        assert await connection.fetchval("SHOW fsync") == "on"
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
    finally:
        await connection.close()


async def test_kafka_carries_a_large_record(kafka_bootstrap: str, topic_prefix: str) -> None:
    topic, large = f"{topic_prefix}large", b"x" * 3 * 1024 * 1024
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, enable_idempotence=True, max_request_size=LARGEST_RECORD
    ) as producer:
        await producer.send_and_wait(topic, large, key=b"k")
    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka_bootstrap,
        group_id=f"{topic_prefix}readers",
        auto_offset_reset="earliest",
    ) as consumer:
        assert (await consumer.getone()).value == large

    await delete_topics(kafka_bootstrap, topic_prefix)

    assert topic not in await admin.list_topics()
    await admin.close()


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://u:p@h:1/postgres", "postgresql://u:p@h:1/wallet"),
        ("postgresql://u:@/postgres?host=/run/pg", "postgresql://u:@/wallet?host=/run/pg"),
        ("postgres://h", "postgres://h/wallet"),
    ],
)
def test_another_database_of_the_same_server(dsn: str, expected: str) -> None:
    assert named(dsn, "wallet") == expected
