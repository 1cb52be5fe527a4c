"""Premiums at once: a levy asked for twice, contradicting answers, over two processes (R10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from contracts import events
from kit.perform import Door
from kit.refusal import Refusal
from kit.work import Broken, Job, Outcome
from tests.conftest import MigratedDatabase
from tests.support.doors import NoLock
from tests.support.premiums import (
    ACCEPTED,
    REFUNDED,
    REFUSED,
    answer_of,
    asked,
    family,
    premium_of,
    state_of,
    told,
)
from tests.support.wallets import code_of, job_of, purse_on, race
from wallet.domain.premium import PremiumState

pytestmark = pytest.mark.rule("R10")


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("wallet")


def answers(me: UUID, payment_id: UUID, said: Sequence[PremiumState]) -> list[Job]:
    # A receipt lets the race's caller try again; what Kafka brings has a position instead.
    return [job_of(answer_of(payment_id, each), me, str(uuid4())) for each in said]


@pytest.mark.parametrize(
    "said",
    [(ACCEPTED,) * 6, (ACCEPTED, REFUSED) * 3, (REFUSED,) * 6, (ACCEPTED, REFUNDED) * 3],
    ids=lambda said: " × ".join(said[:2]),
)
async def test_answers_at_once_have_one_effect(dsn: str, said: Sequence[PremiumState]) -> None:
    async with purse_on(dsn) as first, purse_on(dsn) as second:
        me, _ = await family(first, 50_000)
        payment_id = await asked(first, me)
        outcomes = await race([first, second], me, answers(me, payment_id, said))
        assert {code_of(each) for each in outcomes} <= {"200", "wrong-state"}
        paid, premium = await state_of(first, payment_id, me)
        assert len(await told(first, events.DebitOrdered)) == (
            1 if paid in ("captured", "refunded") else 0
        )
        assert premium in said
        await first.audited()


async def test_a_levy_asked_for_at_once_is_paid_once(dsn: str) -> None:
    async with purse_on(dsn) as first, purse_on(dsn) as second:
        me, _ = await family(first, 500_000)
        jobs = [job_of(premium_of(me), me, str(uuid4())) for _ in range(8)]
        outcomes = await race([first, second], me, jobs)
        assert Counter(map(code_of, outcomes)) == {"202": 1, "wrong-state": 7}
        await first.audited()


async def test_the_race_is_one_without_the_lock(dsn: str) -> None:
    """The unique index is what is left then: whoever comes second breaks on it."""

    async def ran(door: type[Door]) -> list[Outcome]:
        async with purse_on(dsn, door=door) as first, purse_on(dsn, door=door) as second:
            async with purse_on(dsn) as quiet:
                me, _ = await family(quiet, 500_000)
            jobs = [job_of(premium_of(me), me, str(uuid4())) for _ in range(8)]
            return await race([first, second], me, jobs)

    for _ in range(10):
        outcomes = await ran(NoLock)
        if any(isinstance(each, Broken | Refusal) for each in outcomes):
            return
    raise AssertionError("nobody raced")
