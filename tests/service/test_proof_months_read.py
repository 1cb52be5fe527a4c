"""I9 reads real databases, topics and public answers, and finds there what was planted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from contracts import events
from contracts.commands import Refund, Reverse
from contracts.events import CutTotal, InsideLine, IssuedLine
from contracts.internal import institution_caller
from contracts.topics import PERIOD, from_province, to_province
from contracts.vocabulary import PaidFor
from kit.work import Event, Job
from proof.adapters import Record
from proof.month_answers import NotAnswered, clerk_of, see_months, see_prefunds
from proof.month_rows import (
    closed_in,
    cuts_in,
    issued_in,
    paid_in,
    read_recorded_lines,
    read_wallet_lines,
    topped_up_in,
)
from proof.months import months_tie_out
from proof.rows import Line, Months, MonthSeen, PrefundSeen
from tests.conftest import MigratedDatabase
from tests.support.bills import bill_of
from tests.support.clerks_desk import Desk, desk
from tests.support.month_by_hand import CLEAN, GUANGDONG, LINES, MONTH, STATEMENTS, XPCC
from tests.support.wallets import PHARMACY, Purse, body_of, code_of, job_of, payment_of, purse_on
from wallet.domain.commands import RecordOrderAnswer
from wallet.domain.orders import OrderKind


def asked(command: Any, me: UUID, key: str) -> Job:
    job = job_of(command, me, key)
    assert job.receipt is not None
    return replace(job, receipt=replace(job.receipt, caller=institution_caller(PHARMACY)))


async def ask(purse: Purse, command: Any, me: UUID, key: str) -> dict[str, Any]:
    [outcome] = await purse.cells.doors[purse.cells.of_person(me)].perform(
        [asked(command, me, key)]
    )
    assert code_of(outcome) in ("200", "201"), outcome
    return body_of(outcome)


async def credited(purse: Purse, me: UUID) -> None:
    """Provinces credit whatever was given back so far."""
    rows = await purse.pool_of(me).fetch(
        "SELECT order_id, sharer_admdvs FROM account_order JOIN quota USING (quota_id)"
        " WHERE account_order.kind = 'credit' AND account_order.state = 'sent'"
    )
    for row in rows:
        answer = RecordOrderAnswer(
            province=f"{row['sharer_admdvs'][:2]}0000",
            order_id=row["order_id"],
            kind=OrderKind.CREDIT,
            refused_because=None,
        )
        await purse.do(answer, me)


def in_short(lines: list[Line]) -> list[tuple[str, int]]:
    """Who owes how much, cause after cause."""
    return sorted((line.debtor, line.amount) for line in lines)


async def back_and_forth(purse: Purse) -> None:
    """Somebody pays with two quotas, gives back twice, takes once again, and undoes all of it."""
    me = await purse.person()
    await purse.granted(me, 600, "440300", age_days=9)
    await purse.granted(me, 400, "510100", age_days=1)
    paid = await ask(purse, payment_of(me, 900), me, "pay")
    back = Refund(
        payment_id=UUID(paid["payment_id"]),
        institution=PHARMACY,
        amount_fen=200,
        bill_after=bill_of(700),
        reason="returned",
    )
    await ask(purse, back, me, "first")
    more = back.model_copy(update={"amount_fen": 350, "bill_after": bill_of(350)})
    await ask(purse, more, me, "second")
    await credited(purse, me)
    undo = Reverse(person_id=me, institution=PHARMACY, original_key="second")
    assert (await ask(purse, undo, me, "retake"))["outcome"] == "reversed"
    all_of_it = undo.model_copy(update={"original_key": "pay"})
    assert (await ask(purse, all_of_it, me, "reverse"))["outcome"] == "reversed"


@pytest.mark.rule("R22")
async def test_entries_and_payments_have_the_same_lines(
    migrated_database: MigratedDatabase,
) -> None:
    dsn = migrated_database("wallet", 2)
    async with purse_on(dsn, cells=2) as purse:
        for _ in range(4):  # in whichever cells they are
            await back_and_forth(purse)
        await purse.audited()

    entries, payments = await read_wallet_lines(dsn)
    assert in_short(entries) == in_short(payments)
    assert in_short(entries) == sorted(
        [
            *[("440300", 600), ("510100", 300)],
            *[("510100", -200)],
            *[("510100", -100), ("440300", -250)],
            *[("440300", 250), ("510100", 100)],
            *[("510100", -100), ("440300", -600)],
        ]
        * 4
    )
    assert {(line.creditor, line.kind, line.institution) for line in entries} == {
        ("659002", "pharmacy", PHARMACY)
    }
    months = Months(lines=tuple(entries), replayed=tuple(payments), recorded=tuple(entries))
    assert months_tie_out(months) == []

    line = entries[0]
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            f"""
            INSERT INTO cell_{line.cell}.entry
                (quota_id, source, target, amount, payment_id, period, at)
            VALUES ($1, 'available', 'spent', 1, $2, $3, now())
            """,
            line.quota_id,
            line.payment_id,
            line.period,
        )
    finally:
        await connection.close()
    entries, _ = await read_wallet_lines(dsn)
    found = months_tie_out(replace(months, lines=tuple(entries)))
    assert any("its payment and opposite rows make it" in each for each in found), found


def record(event: Event, source: str, number: int = 0) -> Record:
    headers = {"ce_id": f"{event.subject}{number}", "ce_type": event.type, "ce_source": source}
    return Record(
        topic=event.topic,
        partition=0,
        offset=number,
        key=event.key.encode(),
        value=event.data,
        headers=tuple((name, value.encode()) for name, value in headers.items()),
    )


def test_what_was_told_of_months_is_read_as_it_was_told() -> None:
    pharmacy = PaidFor.PHARMACY
    total = CutTotal(
        debtor="440300", creditor="659002", kind=pharmacy, count=2, sum_fen=-5, hash="0" * 16
    )
    cut = events.PeriodCut(period=MONTH, cell=1, cells=3, cut_at=datetime.now(UTC), lines=(total,))
    issued = events.ClearingIssued(
        period=MONTH,
        version=1,
        digest="d" * 64,
        lines=(IssuedLine(counterpart=XPCC, kind=pharmacy, direction="pays", count=2, sum_fen=-5),),
        inside=(InsideLine(debtor="440300", creditor="440100", kind=pharmacy, count=1, sum_fen=7),),
    )
    closed = events.ClearingClosed(period=MONTH, version=1)
    paid = events.ClearingPaid(
        period=MONTH,
        version=1,
        tier="interprovince",
        payer=GUANGDONG,
        payee=XPCC,
        amount_fen=9,
        paid_on=date(2026, 12, 1),
    )
    topped_up = events.PrefundToppedUp(counterpart=XPCC, amount_fen=100)
    ours, theirs = to_province(GUANGDONG), from_province(GUANGDONG)
    records = [
        record(events.event(PERIOD, MONTH, MONTH, cut), "/wallet/cell-1"),
        record(events.event(ours, MONTH, "i", issued), "/settlement"),
        record(events.event(ours, MONTH, "c", closed), "/settlement"),
        record(events.event(theirs, MONTH, "p", paid), f"/provinces/{GUANGDONG}"),
        record(events.event(theirs, XPCC, "t", topped_up), f"/provinces/{GUANGDONG}"),
        record(events.event(from_province(XPCC), MONTH, "forged", paid), f"/provinces/{XPCC}"),
        record(
            events.event(theirs, MONTH, "city", paid.model_copy(update={"tier": "province_city"})),
            f"/provinces/{GUANGDONG}",
        ),
        replace(
            record(events.event(theirs, MONTH, "dead", paid), f"/provinces/{GUANGDONG}"),
            topic="dead.settlement",
        ),
    ]
    [cell] = cuts_in(records)
    assert (cell.period, cell.cell, cell.cells) == (MONTH, 1, 3)
    assert cell.totals == {("440300", "659002", "pharmacy"): (2, -5, "0" * 16)}
    [sent] = issued_in(records)
    assert (sent.province, sent.version, sent.digest) == (GUANGDONG, 1, "d" * 64)
    assert sent.lines == {(XPCC, "pharmacy", "pays"): (2, -5)}
    assert sent.inside == {("440300", "440100", "pharmacy"): (1, 7)}
    assert [(each.province, each.period) for each in closed_in(records)] == [(GUANGDONG, MONTH)]
    assert [(each.payer, each.payee, each.amount) for each in paid_in(records)] == [
        (GUANGDONG, XPCC, 9)
    ]
    assert [(each.province, each.counterpart, each.amount) for each in topped_up_in(records)] == [
        (GUANGDONG, XPCC, 100)
    ]


@pytest.fixture
def stack() -> Iterator[Mapping[str, Any]]:
    with desk() as told:
        yield told


async def seen(stack: Mapping[str, Any], *periods: str) -> tuple[MonthSeen, ...]:
    async with clerk_of(stack) as clerk:
        return await see_months(clerk, periods, LINES, {})


async def test_a_closed_month_is_closed_once_more_and_has_not_changed(
    stack: Mapping[str, Any],
) -> None:
    Desk.busy.add(f"/v1/periods/{MONTH}")
    months = await seen(stack, "2026-12", MONTH)
    assert months_tie_out(replace(CLEAN, seen=months[:1])) == []
    assert [each.period for each in months] == [MONTH, "2026-12"]
    assert [(each.tier, each.whose) for each in months[0].statements] == [
        (each.tier, each.whose) for each in STATEMENTS
    ]
    assert [each for each in Desk.asked if each.startswith("POST")] == [
        f"POST /v1/periods/{MONTH}/issue",
        f"POST /v1/periods/{MONTH}/close",
    ]
    assert Desk.asked.count(f"GET /v1/periods/{MONTH}/statements?tier=national") == 2


async def test_a_month_that_closing_again_changes_is_found(stack: Mapping[str, Any]) -> None:
    Desk.once_closed = " "
    found = months_tie_out(replace(CLEAN, seen=await seen(stack, MONTH)))
    assert len([each for each in found if each.endswith("has changed")]) == len(STATEMENTS)
    assert len([each for each in found if "done again answers" in each]) == 2


async def test_a_month_that_has_changed_since_it_was_closed_is_found(
    stack: Mapping[str, Any],
) -> None:
    closed: dict[str, MonthSeen] = {}
    async with clerk_of(stack) as clerk:
        await see_months(clerk, {MONTH}, LINES, closed)
        Desk.asked.clear()
        again = await see_months(clerk, {MONTH}, LINES, closed)
        assert months_tie_out(replace(CLEAN, seen=again)) == []
        assert len(Desk.asked) == 2
        Desk.asked.append("POST /close")
        Desk.once_closed = " "
        changed = await see_months(clerk, {MONTH}, LINES, closed)
    assert len(months_tie_out(replace(CLEAN, seen=changed))) == 2


async def test_a_month_that_nobody_knows_is_no_answer(stack: Mapping[str, Any]) -> None:
    with pytest.raises(NotAnswered, match="404"):
        await seen(stack, "2027-01")


async def test_prefunds_are_read_page_after_page(stack: Mapping[str, Any]) -> None:
    first = PrefundSeen(debtor=GUANGDONG, creditor=XPCC, deposited=120, used=90, ratio_percent=75)
    async with clerk_of(stack) as clerk:
        assert await see_prefunds(clerk) == (first, replace(first, used=91))


async def test_settlements_lines_are_read(migrated_database: MigratedDatabase) -> None:
    dsn = migrated_database("settlement")
    assert await read_recorded_lines(dsn) == []
    cause, quota, payment = uuid4(), uuid4(), uuid4()
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "cell_0"})
    try:
        await connection.execute(
            """
            INSERT INTO line (
                cause_id, quota_id, payment_id, cell, period, captured_period, debtor, creditor,
                debtor_province, creditor_province, kind, institution, amount, happened_at,
                recorded_at
            )
            VALUES (
                $1, $2, $3, 2, '2026-12', '2026-11', '440300', '659002', '440000', '660000',
                'pharmacy', 'P65900200001', -20, now(), now()
            )
            """,
            cause,
            quota,
            payment,
        )
    finally:
        await connection.close()
    [line] = await read_recorded_lines(dsn)
    assert line == Line(
        cell=2,
        cause_id=str(cause),
        quota_id=str(quota),
        payment_id=str(payment),
        period="2026-12",
        captured_period="2026-11",
        debtor="440300",
        creditor="659002",
        kind="pharmacy",
        institution=PHARMACY,
        amount=-20,
    )
    [found] = months_tie_out(Months(recorded=(line,)))
    assert "the ledger has nothing" in found
