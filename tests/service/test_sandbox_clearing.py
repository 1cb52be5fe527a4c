"""A month as the sandbox's provinces answer it, and the prefunds that they top up (R15, R16)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from contracts.events import ClearingIssued, InsideLine, IssuedLine, PrefundWarned
from contracts.vocabulary import PaidFor
from kit.work import Broken
from sandbox.domain.behaviour import Behaviour
from sandbox.domain.commands import AnswerClearing, SetBehaviour, TopUpPrefund
from sandbox.domain.core import Contradiction
from tests.conftest import MigratedDatabase
from tests.support.outside import GUANGDONG, Cores, cores_in
from tests.support.outside import issued_line as line

XPCC, SICHUAN = "660000", "510000"
CONFIRMED = ("clearing.answered.v1", "confirmed")
DISPUTED = ("clearing.answered.v1", "disputed")


@pytest.fixture
async def cores(migrated_database: MigratedDatabase) -> AsyncIterator[Cores]:
    async with cores_in(migrated_database("sandbox")) as made:
        yield made


def issued(*lines: IssuedLine, period: str = "2026-11", **changes: Any) -> AnswerClearing:
    told: dict[str, Any] = {"period": period, "version": 1, "digest": "a" * 64, "lines": lines}
    return AnswerClearing(province=GUANGDONG, issued=ClearingIssued(**(told | changes)))


def warned(ratio_percent: int, counterpart: str = XPCC) -> TopUpPrefund:
    warning = PrefundWarned(counterpart=counterpart, level="red", ratio_percent=ratio_percent)
    return TopUpPrefund(province=GUANGDONG, warning=warning)


async def behave(cores: Cores, **how: object) -> None:
    behaviour = Behaviour.model_validate(how)
    await cores.perform(SetBehaviour(province=GUANGDONG, behaviour=behaviour))


async def said(cores: Cores) -> list[tuple[Any, ...]]:
    """What was told on `from.440000`, in order, since this was asked last."""
    rows = await cores.pool.fetch(
        "SELECT topic, key, type, data FROM outbox"
        " WHERE type LIKE 'clearing.%' OR type LIKE 'prefund.%' ORDER BY position"
    )
    told: list[tuple[Any, ...]] = []
    for row in rows:
        assert row["topic"] == f"from.{GUANGDONG}"
        body = json.loads(row["data"])
        match row["type"]:
            case "clearing.answered.v1":
                assert row["key"] == body["period"]
                told.append((row["type"], body["answer"]))
            case "clearing.paid.v1":
                assert row["key"] == body["period"]
                assert (body["tier"], body["payer"]) == ("interprovince", GUANGDONG)
                told.append((row["type"], body["payee"], body["amount_fen"]))
            case _:
                told.append((row["type"], body["counterpart"], body["amount_fen"]))
    return told


def paid(payee: str, fen: int) -> tuple[Any, ...]:
    return ("clearing.paid.v1", payee, fen)


def deposited(fen: int, counterpart: str = XPCC) -> tuple[Any, ...]:
    return ("prefund.topped-up.v1", counterpart, fen)


@pytest.mark.rule("R15")
async def test_a_month_is_confirmed_and_paid_gross_to_each_counterpart(cores: Cores) -> None:
    await cores.perform(
        issued(
            line(XPCC, "pays", 700),
            line(XPCC, "pays", 300, "inpatient"),
            line(XPCC, "receives", 900),
            line(SICHUAN, "receives", 50),
            line("110000", "receives", -40),
            line("310000", "pays", -5),
        )
    )
    assert await said(cores) == [CONFIRMED, paid("110000", 40), paid(XPCC, 1_000)]


async def test_each_payment_of_a_month_is_an_event_of_its_own(cores: Cores) -> None:
    await cores.perform(
        issued(line(XPCC, "pays", 700), line(SICHUAN, "pays", 50), line("110000", "pays", 3))
    )
    rows = await cores.pool.fetch("SELECT event_id FROM outbox WHERE type LIKE 'clearing.%'")
    assert len(rows) == 4
    assert len({row["event_id"] for row in rows}) == 4


async def test_what_stays_inside_is_confirmed_and_nothing_is_paid(cores: Cores) -> None:
    inside = InsideLine(
        debtor="440300", creditor="440100", kind=PaidFor.PHARMACY, count=1, sum_fen=70
    )
    await cores.perform(issued(inside=(inside,)))
    assert await said(cores) == [CONFIRMED]


async def test_a_statement_that_comes_twice_is_paid_once(cores: Cores) -> None:
    statement = issued(line(XPCC, "pays", 700))
    await cores.perform_all([statement, statement])
    await cores.perform(statement)
    assert await said(cores) == [CONFIRMED, paid(XPCC, 700), CONFIRMED, CONFIRMED]
    await behave(cores, clearing="dispute")
    await cores.perform(statement)
    assert (await said(cores))[4:] == [CONFIRMED], "what was confirmed is final"
    with pytest.raises(asyncpg.RestrictViolationError):
        await cores.pool.execute("UPDATE transfer SET amount_fen = 1")


async def test_a_silent_province_answers_when_it_speaks_again(cores: Cores) -> None:
    await behave(cores, clearing="silent")
    await cores.perform(issued(line(XPCC, "pays", 700)))
    await cores.perform(issued(period="2026-12"))
    await behave(cores, clearing="silent", freeze="refuse")
    assert await said(cores) == []
    await behave(cores)
    assert await said(cores) == [CONFIRMED, paid(XPCC, 700), CONFIRMED]
    await behave(cores)
    assert len(await said(cores)) == 3


async def test_a_dispute_names_its_lines_and_is_withdrawn_later(cores: Cores) -> None:
    await behave(cores, clearing="dispute")
    statement = issued(line(XPCC, "pays", 700))
    await cores.perform_all([statement, statement])
    assert await said(cores) == [DISPUTED, DISPUTED]
    told = json.loads(await cores.pool.fetchval("SELECT data FROM outbox LIMIT 1"))
    [disputed] = told["lines"]
    assert (disputed["counterpart"], disputed["sum_fen"]) == (XPCC, 700)
    await behave(cores, clearing="silent")
    await behave(cores, clearing="dispute")
    assert len(await said(cores)) == 2, "it was said already"
    await behave(cores)
    assert (await said(cores))[2:] == [CONFIRMED, paid(XPCC, 700)]


async def test_a_month_is_issued_in_one_way(cores: Cores) -> None:
    await cores.perform(issued(line(XPCC, "pays", 700)))
    for other in (
        issued(line(XPCC, "pays", 701)),
        issued(line(XPCC, "pays", 700), digest="b" * 64),
    ):
        outcome = await cores.perform(other)
        assert isinstance(outcome, Broken)
        assert isinstance(outcome.error, Contradiction)


async def test_a_late_province_says_twice_later(cores: Cores) -> None:
    await behave(cores, late_ms=60_000, duplicate=True)
    await cores.perform(issued(line(XPCC, "pays", 700)))
    assert await said(cores) == []
    held = await cores.pool.fetch("SELECT type, copies FROM held_answer ORDER BY answer_id")
    assert [(row["type"], row["copies"]) for row in held] == [
        ("clearing.answered.v1", 2),
        ("clearing.paid.v1", 2),
    ]


@pytest.mark.rule("R16")
async def test_a_warning_is_answered_with_a_deposit(cores: Cores) -> None:
    await cores.perform(warned(100))
    await cores.perform(warned(70))
    await cores.perform(warned(40))
    assert await said(cores) == [deposited(1_000_000), deposited(400_000)]
    await cores.perform_all([warned(90, SICHUAN), warned(90, SICHUAN)])
    assert (await said(cores))[2:] == [deposited(1_000_000, SICHUAN), deposited(800_000, SICHUAN)]
    with pytest.raises(asyncpg.RestrictViolationError):
        await cores.pool.execute("DELETE FROM deposit")


async def test_a_silent_province_deposits_when_it_speaks_again(cores: Cores) -> None:
    await behave(cores, clearing="silent")
    await cores.perform_all([warned(70), warned(100), warned(100, SICHUAN)])
    assert await said(cores) == []
    await behave(cores, clearing="dispute")
    assert await said(cores) == [deposited(1_000_000, SICHUAN), deposited(1_000_000)]
