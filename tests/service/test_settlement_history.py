"""What settlement tells of a payment's lines and months, for explanations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from contracts.internal import institution_caller
from settlement.edge.history import history
from tests.conftest import MigratedDatabase
from tests.support.histories import TOKEN, client_of, history_of, refuses, told
from tests.support.settlements import Clearing, clearing_on
from tests.support.teller_wallet import ALAR, PHARMACY, SHENZHEN, TellerWallet


@pytest.fixture
async def clearing(migrated_database: MigratedDatabase) -> AsyncIterator[Clearing]:
    async with clearing_on(migrated_database("settlement")) as one:
        yield one
        await one.audited()


@pytest.fixture
async def client(clearing: Clearing) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(history(clearing.room, TOKEN)) as client:
        yield client


@pytest.mark.rule("R15", "R16", "R22")
async def test_a_payment_and_what_was_given_back_of_it_in_their_month(
    clearing: Clearing, client: httpx.AsyncClient
) -> None:
    wallet = TellerWallet()
    payment = wallet.capture((SHENZHEN, 5_000))
    wallet.capture((SHENZHEN, 7))
    refund_id = wallet.refund(payment, 1_000).refund_id
    await clearing.hear(wallet.take())
    alone = await history_of(client, payment.payment_id)
    assert told(alone) == ["line.recorded 5000 R15 R18 R16"]
    [line] = alone.steps
    assert (line.debtor, line.creditor, line.state) == (SHENZHEN, ALAR, "owed")
    assert line.seen_by == (institution_caller(PHARMACY),)
    await clearing.hear(wallet.cut("2026-11"))
    both = await history_of(client, payment.payment_id, also=[refund_id])
    assert set(told(both)) == {
        *("line.recorded 5000 R15 R18 R16", "line.recorded -1000 R22 R15 R16"),
        *("period.cut R15 R33", "period.balanced R15"),
    }
    [back] = [step for step in both.steps if step.refund_id is not None]
    assert (back.refund_id, back.payment_id) == (refund_id, payment.payment_id)


async def test_what_nobody_knows_has_no_history(
    clearing: Clearing, client: httpx.AsyncClient
) -> None:
    for name in (uuid4(), "nothing", "a/b?c"):
        assert (await history_of(client, name)).steps == ()
    for wrong in ("also=x", "also=", "&".join(f"also={uuid4()}" for _ in range(201))):
        given = await client.get(f"/internal/history/x?{wrong}")
        assert (given.status_code, given.json()["code"]) == (422, "invalid"), wrong[:50]
    await refuses(client)
