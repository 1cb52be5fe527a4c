"""Payments straight into the ledger, past the gateway, between whichever provinces are wanted.

Payers are known to the wallet alone. Nobody plays their provinces, so no core answers a debit.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from contracts.commands import OpenWallet, Pay
from deploy.local.keys import PROVINCES
from kit.answers import Answer
from kit.refusal import Unavailable
from kit.work import Job, Outcome, ReceiptKey
from tests.bench.ground import BATCH, all_done, lent, related
from tests.bench.letters import AMOUNT_FEN
from tests.support.town import PLAYED
from tests.support.wallets import Purse, job_of, payment_of, snapshot

Pairs = Literal["random", "one"]
"""Who owes whom: any pool any other one, or one pool one other for everybody."""

MUNICIPALITIES = ("110000", "120000", "310000", "500000")
POOLS = tuple(
    province if province in MUNICIPALITIES else f"{province[:2]}0100"
    for province in PROVINCES
    if province not in PLAYED
)
"""A pool of each province that nobody plays."""

COUNT = 2000
PATIENT_TIMES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """A beneficiary at home at the place of care; `pay` is what each of the payments asks for."""

    person_id: UUID
    pay: Pay


async def payers_of(purse: Purse, pairs: Pairs) -> list[Payer]:
    """New payers with open wallets, each with a sharer that can pay for all."""
    choice = random.Random(pairs)
    people = [(uuid4(), *pair_of(choice, pairs)) for _ in range(COUNT)]
    opening = [OpenWallet(person=snapshot(person_id, place)) for person_id, _, place in people]
    await all_done(purse, [job_of(each, each.person.person_id) for each in opening])
    relations = [
        related(person_id, f"{person_id.int % 10**11:011}", place, debtor)
        for person_id, debtor, place in people
    ]
    await lent(purse, relations)
    return [
        Payer(person_id=person_id, pay=paying(person_id, place)) for person_id, _, place in people
    ]


def pair_of(choice: random.Random, pairs: Pairs) -> tuple[str, str]:
    """Debtor and place of care."""
    if pairs == "one":
        return POOLS[0], POOLS[1]
    return choice.choice(POOLS), choice.choice(POOLS)


def paying(person_id: UUID, place: str) -> Pay:
    return payment_of(
        person_id,
        AMOUNT_FEN,
        institution=f"P{place}00001",
        mdtrtarea_admvs=place,
        presence_expires_at=datetime.now(UTC) + timedelta(days=1),
    )


async def pay(purse: Purse, payers: Sequence[Payer], count: int) -> None:
    """So many payments, in full batches, each payer in turn; each an event on wallet.payment."""
    run = secrets.token_hex(6)
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        jobs = [asked(payers[n % len(payers)], f"{run}-{n}") for n in numbers]
        for outcome in await performed(purse, jobs):
            assert isinstance(outcome, Answer), outcome
            assert outcome.status == 201, outcome


def asked(payer: Payer, key: str) -> Job:
    receipt = ReceiptKey(
        caller=payer.pay.institution, scope=payer.person_id, key=key, fingerprint=key.encode()
    )
    return Job(
        command=payer.pay,
        command_id=uuid4(),
        anchors=(payer.person_id,),
        receipt=receipt,
        instance="/v1/payments",
    )


async def performed(purse: Purse, jobs: Sequence[Job]) -> list[Outcome]:
    """A batch, again under the same keys where a slow machine let the transaction expire."""
    for _ in range(PATIENT_TIMES):
        try:
            return await purse.cells.perform(0, jobs)
        except Unavailable:
            continue
    return await purse.cells.perform(0, jobs)
