"""A whole process of relations on real Kafka: provinces and the wallet tell, poison is parked."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from contracts import events
from deploy.local.ports import free_port
from kit.kafka import Broker
from kit.postgres import connect
from kit.records import Raw
from relations.store.audits import AUDITS
from tests.conftest import MakeDatabase
from tests.support.kit import header, published, until
from tests.support.places import LOCAL_POLICY
from tests.support.relations import (
    ALAR,
    INDEX_KEY,
    OWN_KEY,
    PROVINCE_KEYS,
    SHENZHEN,
    TOKEN,
    Somebody,
    confirmation,
    proposal,
    quota_opened,
    raw_of,
    somebody,
    told,
)


@dataclass
class Stack:
    """A running process, what surrounds it, and what it has logged."""

    client: httpx.AsyncClient
    database: asyncpg.Connection[Any]
    broker: Broker
    producer: AIOKafkaProducer
    log: list[bytes]

    async def send(self, raw: Raw) -> None:
        await self.producer.send_and_wait(
            self.broker.physical(raw.topic),
            key=raw.key_bytes,
            value=raw.value,
            headers=list(raw.headers),
        )

    async def known(self, person: Somebody) -> Somebody:
        await self.send(told(person))
        asked = {"psn_cert_type": "01", "cert_no": person.cert_no, "name": person.name}

        async def identified() -> Any:
            response = await self.client.post("/internal/persons/identify", json=asked)
            return response.json() if response.status_code == 200 else None

        found = await until(identified)
        return Somebody(**(vars(person) | {"person_id": UUID(found["person_id"])}))

    async def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        response = await self.client.post(
            "/internal/commands", content=orjson.dumps({"calls": [call]})
        )
        [given] = response.json()["answers"]
        body: dict[str, Any] = orjson.loads(given["body"])
        return body

    async def parked(self, key: str) -> str | None:
        reason: str | None = await self.database.fetchval(
            "SELECT reason FROM parked WHERE key = $1 ORDER BY parked_id LIMIT 1", key
        )
        return reason


@pytest.fixture
def environment(
    make_database: MakeDatabase, kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> dict[str, str]:
    keys = tmp_path / "province-keys.json"
    keys.write_text(
        json.dumps(
            {
                province: {"key_id": key.key_id, "sm4_key_hex": key.key.hex()}
                for province, key in PROVINCE_KEYS.items()
            }
        )
    )
    own = {
        "DATABASE_URL": make_database("relations"),
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "TOPIC_PREFIX": topic_prefix,
        "SERVICE_TOKEN": TOKEN,
        "PORT": str(free_port()),
        "POLICY_DIR": str(LOCAL_POLICY),
        "IDENTITY_SM4_KEY": OWN_KEY.key.hex(),
        "IDENTITY_INDEX_KEY": INDEX_KEY.hex(),
        "PROVINCE_KEYS_FILE": str(keys),
    }
    return {key: value for key, value in os.environ.items() if "FAULT" not in key} | own


@asynccontextmanager
async def running(environment: dict[str, str]) -> AsyncIterator[Stack]:
    """`python -m relations all`, ready; it must drain and exit 0 when asked to stop."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relations", "all"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    log: list[bytes] = []
    reading = asyncio.create_task(collect(process, log))
    broker = Broker(
        bootstrap_servers=environment["KAFKA_BOOTSTRAP_SERVERS"],
        prefix=environment["TOPIC_PREFIX"],
    )
    client = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{environment['PORT']}",
        headers={"authorization": f"Bearer {TOKEN}"},
        timeout=15,
    )
    producer = broker.producer()
    try:

        async def ready() -> bool:
            assert process.returncode is None, b"".join(log).decode()
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(ready, within=60)
        await producer.start()
        database = await connect(
            environment["DATABASE_URL"], schema="cell_0", application_name="test"
        )
        yield Stack(client, database, broker, producer, log)
        await database.close()
    finally:
        await producer.stop()
        await client.aclose()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 30)
        await reading
    assert code == 0, b"".join(log).decode()


async def collect(process: asyncio.subprocess.Process, log: list[bytes]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        log.append(line)


async def test_from_two_enrolments_to_an_active_relation(environment: dict[str, str]) -> None:
    async with running(environment) as stack:
        child = await stack.known(somebody(SHENZHEN, "310", name="欧阳锋"))
        parent = await stack.known(somebody(ALAR, "390", name="欧阳克"))

        await poison(stack, child)

        proposed = await stack.answer(proposal(child, parent, "k1"))
        relation_id = proposed["relation_id"]
        confirmed = await stack.answer(confirmation(parent, relation_id, "k1"))
        assert confirmed["state"] == "activating"

        async def activated() -> list[Any]:
            return await published(stack.broker, "relations.relation")

        [record] = await until(activated)
        assert record.key == str(parent.id).encode()
        assert header(record, "ce_type") == events.RelationActivated.TYPE
        assert header(record, "ce_source") == "/relations"
        assert header(record, "ce_sequence") == "1"

        await stack.send(quota_opened(UUID(relation_id), child.id, parent.id, sequence=1))
        path = f"/internal/relations/{relation_id}?person_id={parent.id}"

        async def active() -> bool:
            return bool((await stack.client.get(path)).json()["state"] == "active")

        await until(active)
        for name, sql in AUDITS.items():
            assert await stack.database.fetch(sql) == [], name
        records = [
            *await published(stack.broker, "relations.person"),
            *await published(stack.broker, "relations.relation"),
            *await published(stack.broker, "dead.relations"),
        ]
        said = b"".join([*stack.log, *(repr(record).encode() for record in records)])
        for person in (child, parent):
            assert person.cert_no.encode() not in said
            assert person.name not in said.decode()
            assert repr(person.name.encode())[2:-1].encode() not in said


async def poison(stack: Stack, known: Somebody) -> None:
    """Each is parked under its name, told to dead.relations, and holds up nobody else."""
    guangdong = "/provinces/440000"
    kind = events.EnrolmentChanged.TYPE
    stranger = somebody(SHENZHEN)
    records = {
        "bad-json": raw_of("from.440000", "p1", kind, b"{", source=guangdong),
        "unknown-type": raw_of("from.440000", "p2", "x.v1", b"{}", source=guangdong),
        "foreign-source": raw_of("from.440000", "p3", kind, b"{}", source="/provinces/110000"),
        "unknown-person": told(stranger, sealed=None),
        "number-of-another": told(somebody(psn_no=known.psn_no)),
    }
    for raw in records.values():
        await stack.send(raw)
    for reason, raw in records.items():
        assert raw.key_bytes is not None
        key = raw.key_bytes.decode()

        async def parked(key: str = key) -> str | None:
            return await stack.parked(key)

        assert await until(parked) == reason

    async def dead() -> bool:
        return len(await published(stack.broker, "dead.relations")) == len(records)

    await until(dead)
    dead_reasons = {
        header(record, "dead_reason") for record in await published(stack.broker, "dead.relations")
    }
    assert dead_reasons == set(records)
    await stack.known(somebody(SHENZHEN))
