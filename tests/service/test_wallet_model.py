"""The wallet against a model of it, written from the rules in other code: lives by the thousand.

A life is one beneficiary to whom a few people give, and to whom everything happens that can:
payments, holds, refunds, reversals, premiums, ends, and provinces and funds that answer in any
order, twice, with the contrary, or not until they are asked again and a clerk has them in hand.
After each step every answer and all books are the model's. A difference names its seed:
`WALLET_MODEL_SEED=… WALLET_MODEL_LIVES=1` lets that life happen again, alone.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from contracts.vocabulary import PaymentState
from proof.databases import read_ledger
from proof.ledger import conservation, overdraft, recomputed
from tests.conftest import MigratedDatabase
from tests.support.fault_evidence import Evidence
from tests.support.wallet_model_life import Life
from tests.support.wallet_model_real import Different
from tests.support.wallet_model_run import clocked, live
from tests.support.wallets import Purse
from wallet.domain import (
    charge,
    giving_back,
    held,
    pay_premium,
    record_premium_answer,
    release,
)
from wallet.domain.waterfall import in_order
from wallet.edge import sweeps

SEED = int(os.environ.get("WALLET_MODEL_SEED", "20261122"))
LIVES = int(os.environ.get("WALLET_MODEL_LIVES", "2000"))
MANY = 20_000
TOGETHER = 100
"""Lives whose steps make one batch; all of a test's lives share a database."""

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.rule(each) for each in ("R6", "R9", "R10", "R22", "R23", "R31", "R32")]


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("wallet")


@pytest.fixture
async def purse(dsn: str) -> AsyncIterator[Purse]:
    async with clocked(dsn) as one:
        yield one


async def lived(purse: Purse, first: int, count: int) -> None:
    for at in range(first, first + count, TOGETHER):
        seeds = range(at, min(at + TOGETHER, first + count))
        log.info("lives %d to %d", seeds.start, seeds.stop - 1)
        await live(purse, [Life(seed) for seed in seeds])


async def proved(purse: Purse, dsn: str) -> None:
    """The audits find nothing, and I3, I4 and I5 hold."""
    await purse.audited()
    ledger = await read_ledger(dsn)
    assert ledger.payments
    assert [*conservation(ledger), *overdraft(ledger), *recomputed(ledger)] == []


@pytest.mark.fault("F23")
@pytest.mark.timeout(900)
async def test_the_wallet_is_its_model(purse: Purse, dsn: str, fault_evidence: Evidence) -> None:
    await lived(purse, SEED, LIVES)
    fault_evidence.tell("Lives by seed: provinces answer, refuse, are silent, late and twice.")
    fault_evidence.saw("lives", LIVES)
    await proved(purse, dsn)


@pytest.mark.long
@pytest.mark.fault("F23")
@pytest.mark.timeout(14_400)
async def test_the_wallet_is_its_model_at_length(
    purse: Purse, dsn: str, fault_evidence: Evidence
) -> None:
    await lived(purse, SEED + LIVES, MANY)
    fault_evidence.tell("Lives by seed: provinces answer, refuse, are silent, late and twice.")
    fault_evidence.saw("lives", MANY)
    await proved(purse, dsn)


# Rules that are wrong by little; each would pass what the wallet asserts of itself.


def ranks_forgotten(quotas: Any) -> Any:
    """R12: not in the beneficiary's order, but always the oldest relation first."""
    return in_order(replace(quota, rank=None) for quota in quotas)


def one_fen_too_much(books: Any, parts: Any, **told: Any) -> Any:
    """A hold that is let go frees a fen of another hold as well, where there is one."""
    more = [
        replace(part, amount=part.amount + (books.quotas[part.quota_id].held > part.amount))
        for part in parts
    ]
    return giving_back.free(books, more, **told)


def never_over(*_: Any) -> bool:
    """A hold whose deadline has passed may still be captured."""
    return False


async def nobody_is_silent(*_: Any) -> list[Any]:
    """Orders that a province does not answer are never told again."""
    return []


def refused_as_overdue(books: Any, payment: Any) -> Any:
    """A premium that its fund refuses looks like a hold that was overdue."""
    decision = release.released(books, payment)
    assert decision.payment is not None
    return replace(decision, payment=replace(decision.payment, state=PaymentState.EXPIRED))


@pytest.mark.parametrize(
    ("room", "name", "wrong"),
    [
        (charge, "in_order", ranks_forgotten),
        (release, "free", one_fen_too_much),
        (held, "is_over", never_over),
        (sweeps, "silent_orders", nobody_is_silent),
        (pay_premium, "in_order", ranks_forgotten),
        (record_premium_answer, "released", refused_as_overdue),
    ],
    ids=lambda wrong: getattr(wrong, "__name__", str(wrong)).rpartition(".")[2],
)
async def test_a_rule_that_is_wrong_is_found(
    purse: Purse, monkeypatch: pytest.MonkeyPatch, room: Any, name: str, wrong: Any
) -> None:
    monkeypatch.setattr(room, name, wrong)
    with pytest.raises(Different, match=r"again alone: WALLET_MODEL_SEED=[0-9]+"):
        await lived(purse, SEED, 2 * TOGETHER)
