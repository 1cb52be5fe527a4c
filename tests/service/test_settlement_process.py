"""Settlement as it runs: the assembled service on a real broker, and a clerk's command line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts import events, topics
from deploy.local.checkout import ROOT
from kit.consume import Consumer
from kit.health import Health
from kit.kafka import Broker
from kit.loops import looping
from kit.records import Raw
from kit.relay import Relay
from kit.runtime import open_runtime
from settlement.main import SERVICE, app
from settlement.settings import Settings
from tests.conftest import MigratedDatabase
from tests.support.kit import broker_with, header, published, until
from tests.support.settlements import (
    TOKEN,
    Clearing,
    answered,
    clearing_on,
    paid,
    topped_up,
)
from tests.support.teller_wallet import GUANGZHOU, SHENZHEN, TellerWallet, record_of

GUANGDONG, XPCC = "440000", "660000"
HEARD = ("wallet.payment", "wallet.period", f"from.{GUANGDONG}", f"from.{XPCC}")


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("settlement")


@pytest.fixture
async def clearing(dsn: str) -> AsyncIterator[Clearing]:
    async with clearing_on(dsn) as one:
        yield one
        await one.audited()


async def tell(broker: Broker, raws: list[Raw]) -> None:
    producer = broker.producer()
    await producer.start()
    try:
        for raw in raws:
            await producer.send_and_wait(
                broker.physical(raw.topic),
                key=raw.key_bytes,
                value=raw.value,
                headers=list(raw.headers),
            )
    finally:
        await producer.stop()


def said(province: str, body: events.Told) -> Raw:
    key = getattr(body, "period", None) or province
    return record_of(f"from.{province}", key, body, source=f"/provinces/{province}")


@pytest.mark.timeout(400)  # three groups are joined, on a machine that may be busy
async def test_a_month_between_two_provinces_over_kafka(
    clearing: Clearing, dsn: str, kafka_bootstrap: str, topic_prefix: str
) -> None:
    """Consumers, sweep and relay of the assembled service; what is told twice counts once."""
    told = (*HEARD, f"to.{GUANGDONG}", f"to.{XPCC}", topics.CLEARING.name, topics.PREFUND.name)
    broker = await broker_with(kafka_bootstrap, topic_prefix, *told, partitions=3)
    settings = Settings(
        database_url=dsn,
        kafka_bootstrap_servers=kafka_bootstrap,
        topic_prefix=topic_prefix,
        service_token=TOKEN,
    )
    wallet = TellerWallet(cells=2)
    for fen in range(1, 101):
        wallet.capture((SHENZHEN, fen), (GUANGZHOU, 1))
    payments = wallet.take()
    health = Health()
    async with open_runtime(SERVICE, settings, health) as runtime:
        parts = await SERVICE.assemble(runtime)
        relay = Relay(dsn=dsn, cell=0, source=lambda _topic: "/settlement", broker=broker)
        heard = [listening(consumer) for consumer in parts.consumers]
        async with looping([*heard, *parts.sweeps, relay], health):
            await tell(broker, [*payments, *wallet.cut("2026-11"), *payments])
            await becomes(clearing, "balanced")
            assert (await clearing.issue()).body["state"] == "issued"
            answers = [
                said(GUANGDONG, topped_up(XPCC, 10_000)),
                said(XPCC, answered()),
                said(GUANGDONG, answered()),
                said(GUANGDONG, paid(GUANGDONG, XPCC, 5150)),
            ]
            await tell(broker, [*answers, *answers])
            await becomes(clearing, "paid")
            assert (await clearing.close()).body["state"] == "closed"
            await until(lambda: drained(clearing))
    assert await clearing.prefund(GUANGDONG, XPCC) == (10_000, 0, 0, "green")
    assert await clearing.parked() == []
    for province in (GUANGDONG, XPCC):
        records = await published(broker, f"to.{province}")
        kinds = [header(record, "ce_type") for record in records]
        assert [kind for kind in kinds if kind != events.PrefundWarned.TYPE] == [
            events.ClearingIssued.TYPE,
            events.ClearingClosed.TYPE,
        ]
        assert {header(record, "ce_source") for record in records} == {"/settlement"}
    changes = [
        json.loads(record.value) for record in await published(broker, "settlement.clearing")
    ]
    assert [each["state"] for each in changes] == [
        *("cut", "balanced", "issued", "confirmed", "paid", "closed"),
    ]


def listening(consumer: Consumer) -> Consumer:
    """The consumer with only those of its topics that this test made."""
    consumer.topics = tuple(topic for topic in consumer.topics if topic in HEARD)
    return consumer


async def becomes(clearing: Clearing, state: str) -> None:
    async def has() -> bool:
        found = await clearing.find()
        return found.status == 200 and found.body["state"] == state

    await until(has, within=200)


async def drained(clearing: Clearing) -> bool:
    return not await clearing.pool.fetchval("SELECT EXISTS (SELECT FROM unpublished)")


class WalletStub:
    """A wallet that answers what it is told to when a month is to be cut."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[tuple[str, str, Any]] = []
        self.answers: list[tuple[int, Any]] = []


@contextmanager
def wallet_stub() -> Iterator[WalletStub]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            stub.asked.append((self.path, str(self.headers["Authorization"]), body))
            status, content = stub.answers.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    stub = WalletStub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def month(dsn: str, *words: str, **env: str) -> Result:
    """`python -m settlement month …` as a clerk runs it, but for the process."""
    given = {"DATABASE_URL": dsn, "SERVICE_TOKEN": TOKEN, "COLUMNS": "200", **env}
    return CliRunner().invoke(app, ["month", *words], env=given)


async def run(dsn: str, *words: str, **env: str) -> Result:
    return await asyncio.to_thread(month, dsn, *words, **env)


async def test_the_command_line_is_the_modules_own(clearing: Clearing, dsn: str) -> None:
    await clearing.hear(TellerWallet().cut("2026-11"))
    shown = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "settlement", "month", "show", "2026-11"],
        env={**os.environ, "DATABASE_URL": dsn},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert shown.returncode == 0, shown.stderr
    assert "balanced 平账" in shown.stdout


async def test_a_clerk_clears_a_month_from_a_terminal(clearing: Clearing, dsn: str) -> None:
    wallet = TellerWallet()
    first = wallet.capture((SHENZHEN, 12_345))
    await clearing.hear(wallet.take())
    missing = await run(dsn, "show", "2026-11")
    assert missing.exit_code == 1
    assert "尚未切账" in missing.output

    cut = {"status": 200, "body": "{}", "replayed": False, "retry_after": None}
    with wallet_stub() as stub:
        stub.answers = [(200, cut), (200, cut)]
        late = await run(dsn, "cut", "2026-11", "--wait", "1", WALLET_URL=stub.url)
        assert late.exit_code == 1
        await clearing.hear(wallet.cut("2026-11"))
        done = await run(dsn, "cut", "2026-11", WALLET_URL=stub.url)
        assert done.exit_code == 0, done.stderr
        assert "balanced" in done.stdout
        asked = {"period": "2026-11", "instance": "/v1/periods/2026-11/cut"}
        assert stub.asked == [("/internal/periods/cut", f"Bearer {TOKEN}", asked)] * 2

    early = await run(dsn, "close", "2026-11")
    assert early.exit_code == 1
    assert "wrong-state" in early.output
    issued = await run(dsn, "issue", "2026-11")
    assert issued.exit_code == 0, issued.stderr
    assert "waiting 待答复" in issued.stdout
    assert "123.45" in issued.stdout
    await clearing.confirmed(GUANGDONG, XPCC)
    await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 12_345))
    await clearing.said(XPCC, paid(XPCC, "659002", 12_345, tier="province_city"))
    for _ in range(2):
        closed = await run(dsn, "close", "2026-11")
        assert closed.exit_code == 0, closed.stderr
        assert "closed" in closed.stdout
        assert "province_city" in closed.stdout

    wallet.refund(first, 45, period="2026-12")
    await clearing.hear(wallet.take())
    adjustments = await run(dsn, "adjustments", "2026-12")
    assert adjustments.exit_code == 0, adjustments.stderr
    for word in (str(first.payment_id), "2026-11", "123.45", "-0.45"):
        assert word in adjustments.stdout


async def test_a_clerk_sees_wherein_a_month_differs(clearing: Clearing, dsn: str) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500))
    await clearing.hear(wallet.take())
    await clearing.hear(wallet.cut("2026-11", []))
    shown = await run(dsn, "show", "2026-11")
    assert shown.exit_code == 0, shown.stderr
    for word in ("extra", SHENZHEN, "-5.00", str(wallet.lines[0].cause_id)):
        assert word in shown.stdout


async def test_a_wallet_that_refuses_or_is_away_is_told_to_the_clerk(
    clearing: Clearing, dsn: str
) -> None:
    problem = {"code": "wrong-state", "detail": "2026-10 comes first", "title_zh": "当前状态不允许"}
    refused = {"status": 409, "body": json.dumps(problem), "replayed": False}
    with wallet_stub() as stub:
        stub.answers = [(200, refused), (503, {}), (200, {"odd": 1})]
        for said in ("wrong-state: 2026-10 comes first", "可重复执行", "可重复执行"):
            found = await run(dsn, "cut", "2026-11", WALLET_URL=stub.url)
            assert found.exit_code == 1
            assert said in found.output
        away = stub.url
    found = await run(dsn, "cut", "2026-11", WALLET_URL=away)
    assert (found.exit_code, "可重复执行" in found.output) == (1, True)
    assert (await clearing.find()).status == 404


@pytest.mark.parametrize("command", ["show", "cut", "issue", "close", "adjustments"])
def test_a_month_is_written_as_months_are(command: str) -> None:
    for wrong in ("2026-13", "2026", "november", "2026-1"):
        found = month("postgresql://127.0.0.1:1/nothing", command, wrong)
        assert found.exit_code == 2
        assert "2026-11" in found.output


def test_help_is_in_both_languages() -> None:
    whole = month("postgresql://127.0.0.1:1/nothing", "--help").stdout
    assert "月度清算" in whole
    assert "balanced" in whole
    for command, word in {
        "show": "查看月份进度",
        "cut": "切账",
        "issue": "下发清算单",
        "close": "关账",
        "adjustments": "跨月冲销明细",
    }.items():
        found = month("postgresql://127.0.0.1:1/nothing", command, "--help").stdout
        assert word in found
        assert "北京时间月份" in found
