"""A levy's fund as the sandbox plays it: one answer a payment, the same every time (R10)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.events import PremiumRequested
from kit.answers import Answer
from kit.work import Broken
from sandbox.domain.behaviour import Behaviour
from sandbox.domain.commands import AnswerPremium, RefundPremium, SetBehaviour
from sandbox.domain.core import Contradiction
from tests.conftest import MigratedDatabase
from tests.support.outside import GUANGDONG, SHENZHEN, Cores, cores_in

pytestmark = pytest.mark.rule("R10")


@pytest.fixture
async def cores(migrated_database: MigratedDatabase) -> AsyncIterator[Cores]:
    async with cores_in(migrated_database("sandbox")) as made:
        yield made


def requested(**changes: Any) -> AnswerPremium:
    told: dict[str, Any] = {
        "payment_id": uuid4(),
        "levy_no": "L-2027",
        "psn_no": "44030000001",
        "pool_admdvs": SHENZHEN,
        "insutype": "390",
        "year": 2027,
        "amount_fen": 38_000,
    }
    return AnswerPremium(province=GUANGDONG, request=PremiumRequested(**(told | changes)))


async def said(cores: Cores, payment_id: UUID) -> list[str]:
    rows = await cores.pool.fetch(
        "SELECT type, data FROM outbox WHERE type LIKE 'premium.%' ORDER BY position"
    )
    return [row["type"] for row in rows if json.loads(row["data"])["payment_id"] == str(payment_id)]


async def behave(cores: Cores, **how: object) -> None:
    behaviour = Behaviour.model_validate(how)
    await cores.perform(SetBehaviour(province=GUANGDONG, behaviour=behaviour))


async def test_what_was_decided_once_is_said_again(cores: Cores) -> None:
    asked = requested()
    await cores.perform(asked)
    await behave(cores, premium="refuse")
    await cores.perform(asked)
    payment_id = asked.request.payment_id
    assert await said(cores, payment_id) == ["premium.accepted.v1"] * 2
    refused = requested()
    await cores.perform_all([refused, refused])
    assert await said(cores, refused.request.payment_id) == ["premium.refused.v1"] * 2


async def test_a_silent_fund_answers_when_it_is_asked_again(cores: Cores) -> None:
    await behave(cores, premium="silent")
    asked = requested()
    await cores.perform(asked)
    assert await said(cores, asked.request.payment_id) == []
    await behave(cores, premium="accept", duplicate=True)
    await cores.perform(asked)
    assert await said(cores, asked.request.payment_id) == ["premium.accepted.v1"] * 2


async def test_a_late_fund_answers_later(cores: Cores) -> None:
    await behave(cores, late_ms=60_000)
    asked = requested()
    await cores.perform(asked)
    assert await said(cores, asked.request.payment_id) == []
    assert await cores.pool.fetchval("SELECT type FROM held_answer") == "premium.accepted.v1"


async def test_one_payment_is_asked_for_in_one_way(cores: Cores) -> None:
    asked = requested()
    await cores.perform(asked)
    other = requested(payment_id=asked.request.payment_id, amount_fen=1)
    outcome = await cores.perform(other)
    assert isinstance(outcome, Broken)
    assert isinstance(outcome.error, Contradiction)


async def test_only_what_was_accepted_is_given_back_and_once(cores: Cores) -> None:
    async def status(payment_id: UUID, province: str = GUANGDONG) -> int:
        command = RefundPremium(province=province, payment_id=payment_id)
        outcome = await cores.perform(command)
        assert isinstance(outcome, Answer)
        return outcome.status

    accepted = requested()
    await cores.perform(accepted)
    await behave(cores, premium="refuse")
    refused = requested()
    await cores.perform(refused)
    assert await status(uuid4()) == 404
    assert await status(accepted.request.payment_id, "660000") == 404
    assert await status(refused.request.payment_id) == 409
    assert await status(accepted.request.payment_id) == 202
    assert await status(accepted.request.payment_id) == 409
    assert await said(cores, accepted.request.payment_id) == [
        "premium.accepted.v1",
        "premium.refunded.v1",
    ]
