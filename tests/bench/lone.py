"""A lone payment through the queues that make batches, and past them: what it waits for nobody.

Both ways end at the same door and the same databases, by turns, in one process: what is left
between them is the queues alone. HTTP and signatures are the same either way and left out.
"""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import UUID

import orjson

from contracts.commands import WalletCommand
from contracts.internal import Calls, institution_caller
from gateway.edge.signatures import UsedNonces
from gateway.store.nonces import Nonce
from kit import commands_http
from kit.answers import Answer
from kit.batch import Batcher
from kit.json_body import parsed
from kit.postgres import open_pool
from tests.bench.figures import Figures
from tests.bench.letters import AMOUNT_FEN
from tests.support.databases import Databases
from tests.support.town_people import bill
from tests.support.wallets import PHARMACY, Purse, purse_on
from wallet.edge.http import desk_of

Q = TypeVar("Q")
A = TypeVar("A")

WARM = 50
GRANTED_FEN = 100_000_000_000


class Straight(Batcher[Q, A]):
    """No queue: whoever comes is answered at once, alone."""

    async def submit(self, item: Q) -> A:
        [given] = await self._run([item])
        return given

    async def submit_all(self, items: Sequence[Q]) -> list[A]:
        return list(await self._run(items))


Pays = Callable[[int], Awaitable[Answer]]
"""Pays once, under the key of this number."""


async def lone(databases: Databases, seconds: int) -> Figures:
    """Payments one after another, by turns with queues and without; wall and CPU of each."""
    wallet = databases.create("bench_lone_wallet", databases.template("wallet", 1))
    gateway = databases.create("bench_lone_gateway", databases.template("gateway", 1))
    nonces = await open_pool(
        gateway,
        schema="cell_0",
        size=2,
        application_name="bench-nonces",
        server_settings={"synchronous_commit": "off"},
    )
    try:
        async with purse_on(wallet) as purse:
            person_id = await purse.person()
            await purse.granted(person_id, GRANTED_FEN)
            ways = [
                way(purse, person_id, UsedNonces(nonces), queues) for queues in (Batcher, Straight)
            ]
            found = await taken(ways, seconds)
    finally:
        await nonces.close()
        for dsn in (wallet, gateway):
            databases.drop(dsn)
    return found


def way(purse: Purse, person_id: UUID, nonces: UsedNonces, queues: type[Batcher[Any, Any]]) -> Pays:
    """A payment's way from the nonce to the commit, with these in its three places for queues."""
    claims = queues(nonces._claim)
    with patch.object(commands_http, "Batcher", queues):
        desk = desk_of(purse.cells, most=200, queue=4096)

    async def perform(calls: Sequence[bytes]) -> list[Answer]:
        asked: Any = parsed(Calls[WalletCommand], b'{"calls":[%s]}' % b",".join(calls))
        answers: list[Answer] = await desk.perform(asked.calls)
        return answers

    to_wallet = queues(perform)
    run = secrets.token_hex(6)

    async def pay(n: int) -> Answer:
        nonce = Nonce(key_id=run, nonce=f"{run}-{n}", created=int(time.time()))
        assert await claims.submit(nonce)
        given: Answer = await to_wallet.submit(call_of(person_id, f"bench-{run}-{n}"))
        return given

    return pay


def call_of(person_id: UUID, key: str) -> bytes:
    command = {
        "type": "pay",
        "person_id": person_id,
        "institution": PHARMACY,
        "institution_kind": "pharmacy",
        "mdtrtarea_admvs": "659002",
        "wallet_enabled": True,
        "presence_expires_at": datetime.now(UTC) + timedelta(days=1),
        "purpose": "pharmacy",
        "bill": bill(AMOUNT_FEN),
        "amount_fen": AMOUNT_FEN,
        "partial": False,
    }
    return orjson.dumps(
        {
            "caller": institution_caller(PHARMACY),
            "person_id": person_id,
            "key": key,
            "fingerprint": secrets.token_hex(32),
            "instance": "/v1/payments",
            "command": command,
        }
    )


async def taken(ways: Sequence[Pays], seconds: int) -> Figures:
    """What each way took, in pairs; who goes first changes from pair to pair."""
    walls: list[list[float]] = [[] for _ in ways]
    spent: list[list[float]] = [[] for _ in ways]
    end = time.perf_counter() + seconds
    n = 0
    while time.perf_counter() < end or n < 2 * WARM:
        for which in (0, 1) if n % 2 else (1, 0):
            cpu, since = time.process_time(), time.perf_counter()
            given = await ways[which](n)
            walls[which].append(1000 * (time.perf_counter() - since))
            spent[which].append(1e6 * (time.process_time() - cpu))
            assert given.status == 201, given.body
        n += 1
    queued, straight = (each[WARM:] for each in walls)
    apart = sorted(one - other for one, other in zip(queued, straight, strict=True))
    return {
        "pairs": len(apart),
        "rate": round(1000 * len(queued) / sum(queued), 1),
        "p50_ms": round(statistics.median(queued), 2),
        "straight_p50_ms": round(statistics.median(straight), 2),
        "apart_p25_ms": round(apart[len(apart) // 4], 2),
        "apart_p50_ms": round(statistics.median(apart), 2),
        "apart_p75_ms": round(apart[3 * len(apart) // 4], 2),
        "here_cpu_us": round(statistics.median(spent[0][WARM:]), 1),
        "straight_here_cpu_us": round(statistics.median(spent[1][WARM:]), 1),
    }
