"""A whole process: it starts, tells how it is, drains, and exits 0."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from deploy.local.ports import free_port
from kit.kafka import Broker
from kit.postgres import connect
from tests.conftest import MakeDatabase
from tests.support.kit import header, published, until

TRACE = "0123456789abcdef0123456789abcdef"


@dataclass
class Process:
    environment: dict[str, str]
    url: str

    async def start(self, *command: str, **more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            env=self.environment | more,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, *arguments: str, **more: str) -> tuple[int | None, str]:
        """Exit code and output of `python -m tests.support.tally_service …`."""
        started = await self.start("-m", "tests.support.tally_service", *arguments, **more)
        output, _ = await asyncio.wait_for(started.communicate(), 60)
        return started.returncode, output.decode()

    @asynccontextmanager
    async def running(self, *roles: str, **more: str) -> AsyncIterator[Any]:
        """The process and a client of it; it must drain and exit 0 when asked to stop."""
        started = await self.start("-m", "tests.support.tally_service", *roles, **more)
        log: list[bytes] = []
        reading = asyncio.create_task(_collect(started, log))
        try:
            async with httpx.AsyncClient(base_url=self.url, timeout=15) as client:
                await until(lambda: _answers(client, started), within=40)
                yield started, client, log
        finally:
            if started.returncode is None:
                started.send_signal(signal.SIGTERM)
            code = await asyncio.wait_for(started.wait(), 30)
            await reading
        assert code == 0, b"".join(log).decode()


async def _collect(started: asyncio.subprocess.Process, log: list[bytes]) -> None:
    assert started.stdout is not None
    async for line in started.stdout:
        log.append(line)


async def _answers(client: httpx.AsyncClient, started: asyncio.subprocess.Process) -> bool:
    assert started.returncode is None, "it is gone"
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def _ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


@pytest.fixture
def tally(make_database: MakeDatabase) -> Process:
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if "FAULT" not in key}
    environment |= {
        "DATABASE_URL": make_database("run"),
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "SERVICE_TOKEN": "s" * 16,
        "PORT": str(port),
    }
    return Process(environment, f"http://127.0.0.1:{port}")


@pytest.fixture
def with_kafka(tally: Process, kafka_bootstrap: str, topic_prefix: str) -> Process:
    tally.environment |= {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "TOPIC_PREFIX": topic_prefix,
    }
    return tally


async def _database(tally: Process) -> asyncpg.Connection[Any]:
    return await connect(
        tally.environment["DATABASE_URL"], schema="cell_0", application_name="test"
    )


async def _tallied(tally: Process, count: int) -> list[tuple[str, int]]:
    connection = await _database(tally)
    try:

        async def enough() -> list[Any]:
            rows = await connection.fetch("SELECT name, amount FROM tally ORDER BY n")
            return rows if len(rows) >= count else []

        return [(row["name"], row["amount"]) for row in await until(enough)]
    finally:
        await connection.close()


async def test_one_process_answers_relays_consumes_and_hands_the_trace_on(
    with_kafka: Process, kafka_bootstrap: str, topic_prefix: str
) -> None:
    async with with_kafka.running("all") as (_, client, _log):
        await until(lambda: _ready(client), within=40)
        for amount in (1, 2, 3):
            response = await client.post(
                "/asks",
                json={"name": "a", "amount": amount},
                headers={"traceparent": f"00-{TRACE}-0123456789abcdef-01"},
            )
            assert response.status_code == 201
            assert response.headers["traceparent"].startswith(f"00-{TRACE}-")
        assert await _tallied(with_kafka, 3) == [("a", 1), ("a", 2), ("a", 3)]
        loops = (await client.get("/healthz")).json()["loops"]
        assert {"relay-0", "consumer", "dead-letters", "cough", "audit"} <= set(loops)
        text = (await client.get("/metrics")).text
        assert 'http_requests_total{method="POST",route="/asks",status="201"} 3.0' in text
        assert 'relay_published_total{relay="relay-0"} 3.0' in text
    broker = Broker(bootstrap_servers=kafka_bootstrap, prefix=topic_prefix)
    for record in await published(broker, "asks"):
        assert (header(record, "traceparent") or "").split("-")[1] == TRACE


async def test_a_stopped_process_answers_what_it_took_and_publishes_what_it_wrote(
    with_kafka: Process, kafka_bootstrap: str, topic_prefix: str
) -> None:
    async with with_kafka.running("all") as (started, client, log):
        await until(lambda: _ready(client), within=40)
        slow = [
            asyncio.create_task(
                client.post("/asks", json={"name": f"n{n}", "amount": n, "seconds": 1.0})
            )
            for n in range(10)
        ]
        await asyncio.sleep(0.4)
        started.send_signal(signal.SIGTERM)
        assert [answered.status_code for answered in await asyncio.gather(*slow)] == [201] * 10
        assert await asyncio.wait_for(started.wait(), 30) == 0
    events = [orjson.loads(line)["event"] for line in log]
    assert events[-1] == "drained", events
    broker = Broker(bootstrap_servers=kafka_bootstrap, prefix=topic_prefix)
    assert {record.key for record in await published(broker, "asks")} == {
        b"n%d" % n for n in range(10)
    }


async def test_writes_need_no_kafka(tally: Process) -> None:
    code, _ = await tally.run("migrate")
    assert code == 0
    async with tally.running("api") as (_, client, _log):
        assert await _ready(client)
        for n in range(5):
            response = await client.post("/asks", json={"name": "a", "amount": n})
            assert response.status_code == 201


@pytest.mark.parametrize(
    ("role", "speaks"), [("api", False), ("sweep", False), ("consume", True), ("relay", True)]
)
async def test_only_who_reads_or_publishes_speaks_to_kafka(
    tally: Process, role: str, speaks: bool
) -> None:
    """So that the others need not be let near it: there is none here, and they are ready."""
    code, _ = await tally.run("migrate")
    assert code == 0
    async with tally.running(role) as (_, client, _log):
        loops = (await client.get("/healthz")).json()["loops"]
        assert ("topics" in loops) is speaks
        assert await _ready(client) is not speaks


async def test_a_schema_that_is_behind_the_code_is_not_ready(tally: Process) -> None:
    async with tally.running("api") as (_, client, _log):
        response = await client.get("/readyz")
        assert response.status_code == 503
        assert response.json()["missing"] == {"database": "cell 0 is not migrated"}
        assert (await tally.run("migrate"))[0] == 0
        assert await _ready(client)


async def test_a_loop_that_keeps_dying_is_named_and_takes_nothing_with_it(
    with_kafka: Process,
) -> None:
    async with with_kafka.running("all") as (_, client, log):
        await until(lambda: _ready(client), within=40)
        connection = await _database(with_kafka)
        await connection.execute("INSERT INTO tally (name, amount) VALUES ('choke', 1)")

        async def died() -> bool:
            return b"loop.died" in b"".join(log)

        await until(died)
        text = (await client.get("/metrics")).text
        assert 'loop_deaths_total{loop="cough"}' in text
        assert (await client.post("/asks", json={"name": "a", "amount": 1})).status_code == 201
        await connection.execute("DELETE FROM tally")
        await connection.close()


async def test_parked_records_are_listed_redriven_and_discarded_by_hand(
    with_kafka: Process,
) -> None:
    async with with_kafka.running("all") as (_, client, _log):
        await until(lambda: _ready(client), within=40)
        for amount in (666, 2, 3):
            await client.post("/asks", json={"name": "a", "amount": amount})
        connection = await _database(with_kafka)

        async def parked() -> bool:
            waiting = "SELECT count(*) FROM parked WHERE resolved_at IS NULL"
            return bool(await connection.fetchval(waiting) == 3)

        await until(parked)
        await connection.close()
    code, output = await with_kafka.run("parked", "list", COLUMNS="200")
    assert code == 0
    assert output.count("behind") == 2
    assert "CannotAdd" in output
    assert "amount" not in output
    code, output = await with_kafka.run("parked", "redrive", "asks", "a")
    assert (code, "0 performed, 3 left" in output) == (1, True)
    code, output = await with_kafka.run("parked", "redrive", "asks", "a", REPAIRED="1")
    assert (code, "3 performed, none left" in output) == (0, True)
    assert await _tallied(with_kafka, 3) == [("a", 666), ("a", 2), ("a", 3)]


async def test_an_audit_that_finds_a_row_fails(tally: Process) -> None:
    assert (await tally.run("migrate"))[0] == 0
    assert (await tally.run("audit"))[0] == 0
    connection = await _database(tally)
    await connection.execute("INSERT INTO tally (name, amount) VALUES ('a', -1)")
    await connection.close()
    code, output = await tally.run("audit")
    assert code == 1
    [violated] = [orjson.loads(line) for line in output.splitlines() if "violated" in line]
    assert violated["audit"] == "no_amount_is_negative"


async def test_it_refuses_to_run_without_its_assertions(tally: Process) -> None:
    started = await tally.start("-O", "-m", "tests.support.tally_service", "migrate")
    output, _ = await asyncio.wait_for(started.communicate(), 30)
    assert started.returncode == 1
    assert b"python -O" in output


async def test_wrong_settings_are_named_and_not_shown(tally: Process) -> None:
    code, output = await tally.run("api", SERVICE_TOKEN="hush", PORT="high")
    assert code == 1
    assert "service_token" in output
    assert "port" in output
    assert "hush" not in output
    assert "high" not in output


async def test_a_failure_at_the_start_is_logged_without_what_it_knew(tally: Process) -> None:
    nowhere = "postgresql://clerk:hush@127.0.0.1:1/none"
    code, output = await tally.run("migrate", DATABASE_URL=nowhere)
    assert code == 1
    assert orjson.loads(output.splitlines()[-1])["event"] == "process.failed"
    assert "hush" not in output
