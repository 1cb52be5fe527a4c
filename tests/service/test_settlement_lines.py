"""Settlement's lines on real PostgreSQL: one a sharer, however often a payment is told."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import uuid4

import asyncpg
import orjson
import pytest

from contracts.vocabulary import PaidFor
from kit.ids import new_id
from kit.perform import Door
from kit.records import Raw
from kit.work import Job, Outcome
from tests.conftest import MigratedDatabase
from tests.support.settlements import Clearing, clearing_on
from tests.support.teller_wallet import (
    ALAR,
    BEIJING,
    GUANGZHOU,
    HAIKOU,
    SHENZHEN,
    TellerWallet,
)


@pytest.fixture
async def clearing(migrated_database: MigratedDatabase) -> AsyncIterator[Clearing]:
    async with clearing_on(migrated_database("settlement")) as one:
        yield one
        await one.audited()


async def lines_of(clearing: Clearing, columns: str = "debtor, creditor, amount") -> list[tuple]:  # type: ignore[type-arg] # rows
    rows = await clearing.pool.fetch(f"SELECT {columns} FROM line")
    return sorted(tuple(row) for row in rows)


async def agrees(clearing: Clearing, wallet: TellerWallet) -> None:
    """The lines kept are the wallet's own, none more, none less."""
    columns = "cause_id, quota_id, cell, period, captured_period, debtor, creditor, kind"
    found = await lines_of(clearing, f"{columns}, institution, amount")
    assert found == sorted(
        (
            *(line.cause_id, line.quota_id, line.cell, line.period, line.captured_period),
            *(line.debtor, line.creditor, line.kind, line.institution, line.amount),
        )
        for line in wallet.lines
    )


@pytest.mark.rule("R15")
@pytest.mark.rule("R18")
async def test_each_sharers_pool_owes_the_place_of_care(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 200), (BEIJING, 100), at=ALAR)
    told = wallet.take()
    await clearing.hear(told)
    await clearing.hear(told)
    assert await lines_of(clearing) == [(BEIJING, ALAR, 100), (SHENZHEN, ALAR, 200)]
    with pytest.raises(asyncpg.RestrictViolationError):
        await clearing.pool.execute("UPDATE line SET amount = 1")
    await agrees(clearing, wallet)


@pytest.mark.rule("R10")
@pytest.mark.rule("R18")
async def test_a_premium_is_owed_to_the_fund_of_the_enrolment_area(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 200), (BEIJING, 100), at=HAIKOU, kind=PaidFor.PREMIUM_390)
    await clearing.hear(wallet.take())
    assert await lines_of(clearing, "creditor, kind, amount") == [
        (HAIKOU, "premium_390", 100),
        (HAIKOU, "premium_390", 200),
    ]


@pytest.mark.rule("R22")
async def test_what_is_given_back_is_a_line_below_nothing_that_names_its_original(
    clearing: Clearing,
) -> None:
    wallet = TellerWallet()
    one = wallet.capture((SHENZHEN, 500), (BEIJING, 300))
    two = wallet.capture((GUANGZHOU, 70))
    refund = wallet.refund(one, 0, 100, period="2026-12")
    wallet.retake(one, refund, period="2027-01")
    wallet.reverse(one, 500, 300, period="2027-01")
    wallet.reverse(two, 70, old=True)
    await clearing.hear(wallet.take())
    await agrees(clearing, wallet)
    assert await lines_of(clearing, "captured_period, period, debtor, amount") == [
        ("2026-11", "2026-11", BEIJING, 300),
        ("2026-11", "2026-11", GUANGZHOU, -70),
        ("2026-11", "2026-11", GUANGZHOU, 70),
        ("2026-11", "2026-11", SHENZHEN, 500),
        ("2026-11", "2026-12", BEIJING, -100),
        ("2026-11", "2027-01", BEIJING, -300),
        ("2026-11", "2027-01", BEIJING, 100),
        ("2026-11", "2027-01", SHENZHEN, -500),
    ]
    adjusting = await clearing.pool.fetch(
        "SELECT period, sum(lines)::int, sum(adjusting_lines)::int, sum(adjusting_amount)::int"
        " FROM total GROUP BY period ORDER BY period"
    )
    assert [tuple(row) for row in adjusting] == [
        ("2026-11", 4, 0, 0),
        ("2026-12", 1, 1, -100),
        ("2027-01", 3, 3, -700),
    ]


@pytest.mark.parametrize("seed", range(6))
async def test_order_between_keys_duplicates_and_replays_change_nothing(
    clearing: Clearing, seed: int
) -> None:
    """F10, F11: each key in order; the keys in any, in polls of any size, told up to five times."""
    chance = random.Random(seed)
    wallet = TellerWallet(cells=3)
    for _ in range(20):
        paid = wallet.capture((chance.choice((SHENZHEN, BEIJING)), 500), (GUANGZHOU, 40))
        if chance.random() < 0.6:
            refund = wallet.refund(paid, chance.randint(1, 500), chance.choice((0, 40)))
            if chance.random() < 0.5:
                wallet.retake(paid, refund)
    by_key: dict[str, list[Raw]] = {}
    for raw in wallet.take():
        by_key.setdefault(raw.key, []).append(raw)
    streams = [
        [raw for each in of_key for raw in [each] * chance.randint(1, 5)]
        for of_key in by_key.values()
    ]
    mixed: list[Raw] = []
    while streams:
        stream = chance.choice(streams)
        mixed.append(stream.pop(0))
        streams = [each for each in streams if each]
    for start in range(0, len(mixed), 17):
        await clearing.hear(mixed[start : start + 17])
    await clearing.hear(mixed)
    await agrees(clearing, wallet)
    assert await clearing.parked() == []


async def test_a_gap_parks_the_key_alone_until_the_missing_record_comes(
    clearing: Clearing,
) -> None:
    wallet = TellerWallet()
    person = uuid4()
    first = wallet.capture((SHENZHEN, 500), person_id=person)
    wallet.refund(first, 100)
    wallet.capture((SHENZHEN, 20), person_id=person)
    wallet.capture((BEIJING, 7))
    captured, refunded, again, other = wallet.take()
    await clearing.hear([refunded, again, other])
    assert await clearing.parked() == ["gap", "gap"]
    assert await lines_of(clearing) == [(BEIJING, ALAR, 7)]
    await clearing.hear([captured])
    assert await clearing.parked() == []
    await agrees(clearing, wallet)


async def test_a_line_of_a_balanced_month_is_parked(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500))
    await clearing.hear_all(wallet)
    assert await clearing.state() == "balanced"
    late = wallet.capture((SHENZHEN, 1))
    open_month = wallet.capture((SHENZHEN, 2), period="2026-12")
    await clearing.hear(wallet.take())
    assert await clearing.parked() == ["LateLine"]
    wallet.lines = [line for line in wallet.lines if line.cause_id != late.payment_id]
    await agrees(clearing, wallet)
    assert await lines_of(clearing, "period, amount") == [
        ("2026-11", 500),
        ("2026-12", open_month.told.amount_fen),
    ]
    with pytest.raises(asyncpg.RestrictViolationError, match="balanced"):
        await clearing.pool.execute(
            "INSERT INTO line SELECT gen_random_uuid(), quota_id, payment_id, cell, period,"
            " captured_period, debtor, creditor, debtor_province, creditor_province, kind,"
            " institution, amount, happened_at, recorded_at FROM line WHERE period = '2026-11'"
        )


async def test_what_nobody_captured_cannot_be_given_back(clearing: Clearing) -> None:
    wallet = TellerWallet()
    paid = wallet.capture((SHENZHEN, 500))
    wallet.take()
    person = uuid4()
    body = paid.told.model_copy(update={"person_id": person})
    wallet.refund(replace(paid, told=body), 100)
    wallet.capture((BEIJING, 1))
    await clearing.hear(wallet.take())
    assert await clearing.parked() == ["UnknownOriginal"]
    assert await lines_of(clearing) == [(BEIJING, ALAR, 1)]


def spoiled(raw: Raw, **change: object) -> Raw:
    """The record with other fields in its body; an ellipsis leaves one out."""
    assert raw.value is not None
    body = {**orjson.loads(raw.value), **change}
    body = {name: value for name, value in body.items() if value is not ...}
    return replace(raw, value=orjson.dumps(body))


BAD: list[tuple[dict[str, object], str]] = [
    ({"person_id": str(uuid4())}, "key-is-not-the-person"),
    ({"amount_fen": 501}, "amount-is-not-the-sum"),
    ({"payment_id": str(new_id(1))}, "foreign-cell"),
    ({"payment_id": str(uuid4())}, "foreign-cell"),
    ({"payment_id": str(new_id()).upper()}, "bad-body"),
    ({"amount_fen": 0}, "bad-body"),
    ({"amount_fen": 500.5}, "bad-body"),
    ({"period": "2026-13"}, "bad-body"),
    ({"period": ...}, "bad-body"),
    ({"mdtrtarea_admvs": "65900"}, "bad-body"),
    ({"mdtrtarea_admvs": "999999"}, "UnknownArea"),
    ({"purpose": "fitness"}, "bad-body"),
    ({"allocations": []}, "amount-is-not-the-sum"),
    ({"allocations": None}, "bad-body"),
    ({"captured_at": "yesterday"}, "bad-body"),
    ({"institution": ""}, "CheckViolationError"),
]


@pytest.mark.parametrize(("change", "reason"), BAD)
async def test_a_payment_that_makes_no_sense_parks_its_key_alone(
    clearing: Clearing, change: dict[str, object], reason: str
) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500))
    wallet.capture((BEIJING, 7))
    bad, good = wallet.take()
    await clearing.hear([spoiled(bad, **change), good])
    assert await clearing.parked() == [reason]
    assert await lines_of(clearing) == [(BEIJING, ALAR, 7)]


async def test_a_fact_told_under_another_sequence_is_no_second_line(clearing: Clearing) -> None:
    wallet = TellerWallet()
    paid = wallet.capture((SHENZHEN, 500))
    wallet.tell(0, paid.told)
    await clearing.hear(wallet.take())
    assert await clearing.parked() == ["UniqueViolationError"]
    await agrees(clearing, wallet)


async def test_other_facts_of_a_payment_owe_nothing_and_move_its_position_on(
    clearing: Clearing,
) -> None:
    wallet = TellerWallet()
    person = uuid4()
    wallet.capture((SHENZHEN, 500), person_id=person)
    held = wallet.take()[0]
    headers = tuple(
        (name, b"payment.held.v1" if name == "ce_type" else value) for name, value in held.headers
    )
    wallet.lines.clear()
    wallet.capture((SHENZHEN, 20), person_id=person)
    await clearing.hear([replace(held, headers=headers), *wallet.take()])
    assert await clearing.parked() == []
    await agrees(clearing, wallet)


class Hasty(Door):
    """A door to a database that gets through few records in the time of a transaction."""

    most = 0

    async def _once(self, jobs: Sequence[Job]) -> list[Outcome]:
        if len(jobs) > 200:
            Hasty.most = max(Hasty.most, len(jobs))
            raise asyncpg.TransactionTimeoutError
        return await super()._once(jobs)


async def test_a_batch_that_takes_too_long_is_divided(clearing: Clearing) -> None:
    wallet = TellerWallet()
    for _ in range(450):
        wallet.capture((SHENZHEN, 5))
    clearing.room.door.__class__ = Hasty
    await clearing.hear(wallet.take())
    assert Hasty.most == 450
    assert await clearing.parked() == []
    await agrees(clearing, wallet)
