"""What tests of the sandbox share: its cores behind a door of their own, and it as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from contracts.events import (
    CreditOrdered,
    DebitOrdered,
    FreezeRequested,
    IssuedLine,
    UnfreezeOrdered,
)
from contracts.vocabulary import PROVINCES, PaidFor, Purpose
from deploy.local.keys import new_ed25519, new_province_keys
from deploy.local.ports import free_port
from kit.answers import Answer
from kit.audit import audit
from kit.perform import Door
from kit.postgres import Pool, open_pool
from kit.work import Job, Outcome
from sandbox.domain.commands import (
    AnswerFreeze,
    MakePerson,
    ObeyOrder,
    TellAnswer,
)
from sandbox.domain.decided import PEOPLE, anchor_of
from sandbox.domain.prefund import Rule
from sandbox.domain.sealing import ProvinceKeys
from sandbox.main import usecases
from sandbox.store.audits import AUDITS
from sandbox.store.views import account_balances, due_answers
from tests.support.keeper import ROOT

GUANGDONG = "440000"
SHENZHEN = "440300"


@dataclass
class Cores:
    """The provincial cores behind a door, without HTTP and Kafka."""

    dsn: str
    pool: Pool
    door: Door
    keys: ProvinceKeys

    async def perform(self, command: object, province: str = GUANGDONG) -> Outcome:
        [outcome] = await self.perform_all([command], province)
        return outcome

    async def perform_all(
        self, commands: Sequence[object], province: str = GUANGDONG
    ) -> list[Outcome]:
        anchors = (PEOPLE, anchor_of(province))
        return await self.door.perform(
            [Job(command=each, command_id=uuid4(), anchors=anchors) for each in commands]
        )

    async def person(self, balance_fen: int, **other: Any) -> str:
        """The psn_no of somebody new in Shenzhen."""
        asked: dict[str, Any] = {
            "province": GUANGDONG,
            "insuplc_admdvs": SHENZHEN,
            "insutype": "310",
            "balance_fen": balance_fen,
            "born_on": None,
            "retired": False,
        }
        outcome = await self.perform(MakePerson(**(asked | other)))
        assert isinstance(outcome, Answer)
        assert outcome.status == 201
        return str(json.loads(outcome.body)["psn_no"])

    async def freeze(self, request: FreezeRequested) -> Outcome:
        return await self.perform(AnswerFreeze(province=GUANGDONG, request=request))

    async def obey(self, order: UnfreezeOrdered | DebitOrdered | CreditOrdered) -> Outcome:
        return await self.perform(ObeyOrder(province=GUANGDONG, order=order))

    async def account(self, psn_no: str) -> tuple[int, int]:
        """Balance and what is frozen of it."""
        found = await account_balances(self.pool, GUANGDONG, psn_no)
        assert found is not None
        return found

    async def said(self, psn_no: str) -> list[tuple[str, dict[str, Any]]]:
        """Type and body of what was told of a person's account, in order."""
        rows = await self.pool.fetch(
            """
            SELECT type, data FROM outbox
            WHERE key = $1 AND type LIKE 'account.%' ORDER BY position
            """,
            psn_no,
        )
        return [(row["type"], json.loads(row["data"])) for row in rows]

    async def tell_due(self) -> int:
        """What the sweep does; returns how many were due."""
        due = await due_answers(self.pool, 100)
        if due:
            await self.perform_all([TellAnswer(answer_id=answer_id) for answer_id, _ in due])
        return len(due)


def freeze_requested(psn_no: str, amount_fen: int, **other: Any) -> FreezeRequested:
    asked: dict[str, Any] = {
        "freeze_id": uuid4(),
        "quota_id": uuid4(),
        "psn_no": psn_no,
        "pool_admdvs": SHENZHEN,
        "amount_fen": amount_fen,
    }
    return FreezeRequested(**(asked | other))


def issued_line(counterpart: str, direction: str, fen: int, kind: str = "pharmacy") -> IssuedLine:
    """A line of a month's statement, as a province is issued it."""
    told = {
        "counterpart": counterpart,
        "kind": PaidFor(kind),
        "direction": direction,
        "count": 1,
        "sum_fen": fen,
    }
    return IssuedLine.model_validate(told)


def unfreeze_ordered(freeze: FreezeRequested, amount_fen: int, **other: Any) -> UnfreezeOrdered:
    return UnfreezeOrdered(**(_order(freeze, amount_fen) | other))


def debit_ordered(freeze: FreezeRequested, amount_fen: int, **other: Any) -> DebitOrdered:
    asked = _order(freeze, amount_fen) | {
        "payment_id": uuid4(),
        "mdtrtarea_admvs": "659002",
        "purpose": Purpose.PHARMACY,
        "captured_at": "2026-11-21T08:00:00Z",
    }
    return DebitOrdered.model_validate_json(json.dumps(asked | other, default=str))


def credit_ordered(
    freeze: FreezeRequested, amount_fen: int, *, again: bool = True, **other: Any
) -> CreditOrdered:
    asked = _order(freeze, amount_fen) | {
        "payment_id": uuid4(),
        "refund_id": uuid4(),
        "freeze": again,
    }
    return CreditOrdered.model_validate_json(json.dumps(asked | other, default=str))


def _order(freeze: FreezeRequested, amount_fen: int) -> dict[str, Any]:
    return {
        "order_id": uuid4(),
        "quota_id": freeze.quota_id,
        "psn_no": freeze.psn_no,
        "pool_admdvs": freeze.pool_admdvs,
        "amount_fen": amount_fen,
    }


@asynccontextmanager
async def cores_in(dsn: str) -> AsyncIterator[Cores]:
    """The cores of a migrated database, which is audited in the end."""
    keys = ProvinceKeys.read(new_province_keys())
    pool = await open_pool(dsn, schema="cell_0", size=4, application_name="test")
    door = Door(pool, 0, usecases(keys, Rule()))
    try:
        yield Cores(dsn=dsn, pool=pool, door=door, keys=keys)
        assert await audit(dsn, 1, AUDITS) == []
    finally:
        await asyncio.wait_for(pool.close(), 5)


class Gateway:
    """The platform, as far as the sandbox asks it: it answers what the test says."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[str] = []
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.asked.append(head.decode())
                writer.write(b"HTTP/1.1 %d x\r\ncontent-length: 2\r\n\r\n{}" % self.status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def gateway_stand_in() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", gateway.port)
    try:
        yield gateway
    finally:
        server.close()


@dataclass
class World:
    """The sandbox as a process of its own, on a database and topics of its own."""

    env: dict[str, str]
    log: Path
    port: int
    province_keys: dict[str, dict[str, str]]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, faultpoints: str = "") -> None:
        assert self.process is None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "all"],
                env={**os.environ, **self.env, "FAULTPOINTS": faultpoints},
                cwd=ROOT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    async def ready(self, within: float = 120.0) -> None:
        async with asyncio.timeout(within), httpx.AsyncClient(trust_env=False) as client:
            while True:
                assert self.process is not None
                assert self.process.poll() is None, self.log.read_text()[-3000:]
                try:
                    if (await client.get(f"{self.url}/readyz")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)

    async def died(self, within: float = 60.0) -> None:
        """Wait for it to kill itself at a fault point."""
        async with asyncio.timeout(within):
            while self.process is not None and self.process.poll() is None:
                await asyncio.to_thread(self._wait_a_little)
        assert self.process is not None
        assert self.process.returncode == -signal.SIGKILL, self.log.read_text()[-3000:]
        self.process = None

    def _wait_a_little(self) -> None:
        assert self.process is not None
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.2)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@asynccontextmanager
async def world_of(
    dsn: str, kafka: str, prefix: str, folder: Path, gateway: Gateway, **env: str
) -> AsyncIterator[World]:
    """Files and settings of a sandbox, not started yet; whatever runs of it is killed after."""
    signing, provinces, world = (folder / name for name in ("sign.pem", "keys.json", "world.json"))
    signing.write_text(new_ed25519())
    provinces.write_text(new_province_keys())
    world.write_text(json.dumps({"institutions": [], "provinces": list(PROVINCES)}))
    port = free_port()
    made = World(
        env={
            "DATABASE_URL": dsn,
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "TOPIC_PREFIX": prefix,
            "PORT": str(port),
            "SERVICE_TOKEN": "a-token-of-the-tests",
            "GATEWAY_URL": gateway.url,
            "TOKEN_ISSUER": f"http://127.0.0.1:{port}",
            "PROVINCE_KEYS_FILE": str(provinces),
            "WORLD_FILE": str(world),
            "SIGNING_KEY_FILE": str(signing),
            "EMPTY_PROVINCES": ",".join(p for p in PROVINCES if p not in ("440000", "660000")),
            **env,
        },
        log=folder / "sandbox.log",
        port=port,
        province_keys=json.loads(provinces.read_text()),
    )
    try:
        yield made
    finally:
        made.kill()
