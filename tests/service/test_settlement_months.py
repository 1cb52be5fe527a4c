"""A month's steps: issued, confirmed by all, paid by whom owes, closed; in order, each once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from contracts import events
from contracts.vocabulary import PaidFor
from tests.conftest import MigratedDatabase
from tests.support.settlements import Clearing, answered, clearing_on, paid
from tests.support.teller_wallet import (
    ALAR,
    BEIJING,
    GUANGZHOU,
    HAIKOU,
    HOSPITAL,
    SHENZHEN,
    URUMQI,
    TellerWallet,
)

GUANGDONG, HAINAN, XPCC, XINJIANG = "440000", "460000", "660000", "650000"
STATES = ("cut", "balanced", "issued", "confirmed", "paid", "closed")


@pytest.fixture
async def clearing(migrated_database: MigratedDatabase) -> AsyncIterator[Clearing]:
    async with clearing_on(migrated_database("settlement")) as one:
        yield one
        await one.audited()


async def issued(clearing: Clearing) -> TellerWallet:
    """Guangdong owes the XPCC 600 and Beijing 50; Beijing owes the XPCC 7. All of it is issued."""
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500), (GUANGZHOU, 100), (BEIJING, 7))
    wallet.capture((SHENZHEN, 50), at=BEIJING, kind=PaidFor.INPATIENT, institution=HOSPITAL)
    await clearing.hear_all(wallet)
    assert (await clearing.issue()).status == 200
    return wallet


async def sent(clearing: Clearing, kind: str) -> dict[str, Any]:
    """What each province was told, by its code."""
    return {
        each.topic.removeprefix("to."): each.body
        for each in await clearing.told(kind)
        if each.key == "2026-11"
    }


@pytest.mark.rule("R15")
async def test_a_month_goes_from_cut_to_closed(clearing: Clearing) -> None:
    await issued(clearing)
    provinces = (BEIJING, GUANGDONG, XPCC)
    told = await sent(clearing, events.ClearingIssued.TYPE)
    assert tuple(told) == provinces
    found = (await clearing.find()).body
    assert {body["digest"] for body in told.values()} == {found["digest"]}
    assert told[GUANGDONG]["lines"] == [
        line(BEIJING, "inpatient", "pays", 1, 50),
        line(XPCC, "pharmacy", "pays", 2, 600),
    ]
    assert told[BEIJING]["lines"] == [
        line(XPCC, "pharmacy", "pays", 1, 7),
        line(GUANGDONG, "inpatient", "receives", 1, 50),
    ]
    assert [each["answer"] for each in found["answers"]] == [None, None, None]

    await clearing.confirmed(BEIJING, GUANGDONG)
    assert await clearing.state() == "issued"
    await clearing.confirmed(XPCC)
    assert await clearing.state() == "confirmed"
    assert (await clearing.close()).code == "wrong-state"

    assert await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 600)) is None
    assert await clearing.said(GUANGDONG, paid(GUANGDONG, BEIJING, 50)) is None
    assert await clearing.state() == "confirmed"
    assert await clearing.said(BEIJING, paid(BEIJING, XPCC, 7)) is None
    assert await clearing.state() == "paid"
    closed = await clearing.close()
    assert closed.body["state"] == "closed"
    assert tuple(await sent(clearing, events.ClearingClosed.TYPE)) == provinces
    assert tuple(await clearing.states_told()) == STATES
    changes = await clearing.told(events.ClearingChanged.TYPE)
    assert [each.body["digest"] for each in changes] == [None, None, *[found["digest"]] * 4]


def line(counterpart: str, kind: str, direction: str, count: int, fen: int) -> dict[str, object]:
    return {
        "counterpart": counterpart,
        "kind": kind,
        "direction": direction,
        "count": count,
        "sum_fen": fen,
    }


@pytest.mark.rule("R15")
async def test_what_stays_inside_a_province_is_told_to_it_alone_and_transferred_by_nobody(
    clearing: Clearing,
) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500), at=GUANGZHOU)
    wallet.capture((SHENZHEN, 30), at=HAIKOU)
    await clearing.hear_all(wallet)
    found = (await clearing.issue()).body
    assert [(each["payer"], each["payee"], each["amount_fen"]) for each in found["transfers"]] == [
        (GUANGDONG, HAINAN, 30)
    ]
    told = await sent(clearing, events.ClearingIssued.TYPE)
    assert told[GUANGDONG]["lines"] == [line(HAINAN, "pharmacy", "pays", 1, 30)]
    assert told[GUANGDONG]["inside"] == [
        {
            "debtor": SHENZHEN,
            "creditor": GUANGZHOU,
            "kind": "pharmacy",
            "count": 1,
            "sum_fen": 500,
        }
    ]
    assert told[HAINAN]["inside"] == []


@pytest.mark.rule("R15")
async def test_the_xpcc_and_xinjiang_are_two_provinces(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.capture((URUMQI, 90), at=ALAR)
    await clearing.hear_all(wallet)
    found = (await clearing.issue()).body
    [transfer] = found["transfers"]
    assert (transfer["payer"], transfer["payee"]) == (XINJIANG, XPCC)


@pytest.mark.parametrize("inside", [False, True])
async def test_a_month_in_which_nothing_crosses_a_border_waits_for_nobody(
    clearing: Clearing, inside: bool
) -> None:
    wallet = TellerWallet()
    if inside:
        wallet.capture((SHENZHEN, 500), at=GUANGZHOU)
    await clearing.hear_all(wallet)
    found = (await clearing.issue()).body
    assert (found["state"], found["transfers"]) == ("paid", [])
    assert (await clearing.close()).body["state"] == "closed"
    assert tuple(await clearing.states_told()) == STATES
    assert list(await sent(clearing, events.ClearingIssued.TYPE)) == [GUANGDONG] * inside
    if inside:
        await clearing.confirmed(GUANGDONG)


async def test_a_step_out_of_order_is_refused_and_changes_nothing(clearing: Clearing) -> None:
    for step in (clearing.find, clearing.issue, clearing.close):
        found = await step()
        assert (found.status, found.code) == (404, "not-found")
    wallet = TellerWallet(cells=2)
    one, two = wallet.cut("2026-11")
    await clearing.hear([one])
    for step in (clearing.issue, clearing.close):
        assert ((await step()).status, (await step()).code) == (409, "wrong-state")
    await clearing.hear([two])
    assert (await clearing.close()).code == "wrong-state"
    assert await clearing.state() == "balanced"


async def test_a_step_that_was_taken_answers_the_month_as_it_is(clearing: Clearing) -> None:
    await issued(clearing)
    first = await clearing.issue()
    rows = await all_rows(clearing)
    assert await clearing.issue() == first
    assert await all_rows(clearing) == rows
    await clearing.confirmed(BEIJING, GUANGDONG, XPCC)
    for payer, payee, fen in ((GUANGDONG, XPCC, 600), (GUANGDONG, BEIJING, 50), (BEIJING, XPCC, 7)):
        assert await clearing.said(payer, paid(payer, payee, fen)) is None
    assert (await clearing.issue()).body["state"] == "paid"
    closed = await clearing.close()
    rows = await all_rows(clearing)
    assert await clearing.close() == closed == await clearing.issue() == await clearing.find()
    assert await all_rows(clearing) == rows


async def all_rows(clearing: Clearing) -> list[tuple[object, ...]]:
    tables = ("period", "recipient", "owed", "answer", "transfer", "outbox", "prefund", "total")
    return [
        (table, *row)
        for table in tables
        for row in await clearing.pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
    ]


async def test_a_dispute_keeps_the_month_issued_until_it_is_withdrawn(clearing: Clearing) -> None:
    await issued(clearing)
    await clearing.confirmed(BEIJING, XPCC)
    disputed = [{"counterpart": XPCC, "kind": "pharmacy", "count": 1, "sum_fen": 599}]
    assert await clearing.said(GUANGDONG, answered("disputed", lines=disputed)) is None
    assert await clearing.said(GUANGDONG, answered("disputed", lines=disputed)) is None
    assert await clearing.said(GUANGDONG, answered("disputed")) is None
    found = (await clearing.find()).body
    assert found["state"] == "issued"
    assert {each["province"]: each["answer"] for each in found["answers"]} == {
        BEIJING: "confirmed",
        GUANGDONG: "disputed",
        XPCC: "confirmed",
    }
    kept = await clearing.pool.fetch("SELECT lines FROM answer WHERE answer = 'disputed'")
    assert [row["lines"] is not None for row in kept] == [True, False]
    await clearing.confirmed(GUANGDONG)
    assert await clearing.state() == "confirmed"


async def test_what_was_confirmed_is_not_disputed_any_more(clearing: Clearing) -> None:
    await issued(clearing)
    await clearing.confirmed(GUANGDONG, GUANGDONG)
    assert await clearing.said(GUANGDONG, answered("disputed")) == "wrong-state"
    await clearing.confirmed(BEIJING, XPCC)
    assert await clearing.state() == "confirmed"
    assert await clearing.said(XPCC, answered("disputed")) == "wrong-state"
    assert await clearing.state() == "confirmed"


async def test_answers_told_again_from_the_beginning_change_nothing(clearing: Clearing) -> None:
    """F10: a whole topic read again, a withdrawn dispute among its records."""
    await issued(clearing)
    facts = [(uuid4(), answered("disputed")), (uuid4(), answered())]
    for event_id, body in facts:
        assert await clearing.said(GUANGDONG, body, event_id) is None
    rows = await all_rows(clearing)
    for event_id, body in facts:
        assert await clearing.said(GUANGDONG, body, event_id) is None
    assert await all_rows(clearing) == rows


@pytest.mark.parametrize(
    ("province", "body"),
    [
        (HAINAN, answered()),
        (GUANGDONG, answered(version=2)),
        (GUANGDONG, answered(period="2026-10")),
        (GUANGDONG, paid(GUANGDONG, XPCC, 600, version=2)),
        (GUANGDONG, paid(GUANGDONG, XPCC, 600, period="2026-12")),
        (GUANGDONG, paid(BEIJING, XPCC, 7)),
        (XPCC, paid(GUANGDONG, XPCC, 600)),
    ],
)
async def test_what_was_not_issued_to_a_province_it_cannot_answer_or_pay(
    clearing: Clearing, province: str, body: events.Told
) -> None:
    await issued(clearing)
    rows = await all_rows(clearing)
    assert await clearing.said(province, body) == "not-found"
    assert await all_rows(clearing) == rows


async def test_nothing_is_answered_or_paid_before_it_was_issued(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500))
    await clearing.hear_all(wallet)
    assert await clearing.said(GUANGDONG, answered()) == "not-found"
    assert await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 500)) == "not-found"
    assert await clearing.state() == "balanced"


async def test_transfers_come_in_parts_and_each_counts_once(clearing: Clearing) -> None:
    await issued(clearing)
    part, again = uuid4(), uuid4()
    for event_id in (part, part, again, part):
        body = paid(GUANGDONG, XPCC, 200)
        assert await clearing.said(GUANGDONG, body, event_id) is None
    assert await paid_of(clearing) == {
        (GUANGDONG, BEIJING): (50, 0),
        (GUANGDONG, XPCC): (600, 400),
        (BEIJING, XPCC): (7, 0),
    }
    # Two transfers that a core told of under one id are two, because they say different things.
    assert await clearing.said(GUANGDONG, paid(GUANGDONG, BEIJING, 50), part) is None
    assert (await paid_of(clearing))[GUANGDONG, BEIJING] == (50, 50)


async def paid_of(clearing: Clearing) -> dict[tuple[str, str], tuple[int, int]]:
    return {
        (each["payer"], each["payee"]): (each["amount_fen"], each["paid_fen"])
        for each in (await clearing.find()).body["transfers"]
    }


async def test_nobody_pays_more_than_is_owed(clearing: Clearing) -> None:
    await issued(clearing)
    assert await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 599)) is None
    rows = await all_rows(clearing)
    assert await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 2)) == "wrong-state"
    assert await clearing.said(XPCC, paid(XPCC, GUANGDONG, 1)) == "wrong-state"
    assert await clearing.said(GUANGDONG, paid(GUANGDONG, GUANGDONG, 1)) == "wrong-state"
    assert await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 0)) == "invalid"
    assert await all_rows(clearing) == rows
    assert await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 1)) is None
    assert (await paid_of(clearing))[GUANGDONG, XPCC] == (600, 600)


async def test_paid_before_it_is_confirmed_the_month_is_confirmed_and_paid_at_once(
    clearing: Clearing,
) -> None:
    await issued(clearing)
    for payer, payee, fen in ((GUANGDONG, XPCC, 600), (GUANGDONG, BEIJING, 50), (BEIJING, XPCC, 7)):
        assert await clearing.said(payer, paid(payer, payee, fen)) is None
    assert await clearing.state() == "issued"
    await clearing.confirmed(BEIJING, GUANGDONG, XPCC)
    found = (await clearing.find()).body
    assert found["state"] == "paid"
    assert found["confirmed_at"] == found["paid_at"]


async def test_transfers_beneath_the_provinces_are_kept_and_hold_nothing(
    clearing: Clearing,
) -> None:
    await issued(clearing)
    city, hospital = uuid4(), uuid4()
    for _ in range(2):
        body = paid(XPCC, ALAR, 607, tier="province_city")
        assert await clearing.said(XPCC, body, city) is None
        body = paid(ALAR, "P65900200001", 607, tier="institution")
        assert await clearing.said(XPCC, body, hospital) is None
    rows = await clearing.pool.fetch("SELECT tier, payee, amount FROM transfer ORDER BY tier")
    assert [tuple(row) for row in rows] == [
        ("institution", "P65900200001", 607),
        ("province_city", ALAR, 607),
    ]
    assert {paid for _, paid in (await paid_of(clearing)).values()} == {0}


@pytest.mark.rule("R15")
@pytest.mark.rule("R22")
async def test_more_given_back_than_charged_is_paid_by_the_creditor(clearing: Clearing) -> None:
    wallet = TellerWallet()
    old = wallet.capture((SHENZHEN, 500), period="2026-10")
    wallet.capture((SHENZHEN, 120))
    wallet.refund(old, 500)
    wallet.capture((ALAR, 30), at=GUANGZHOU)
    await clearing.hear(wallet.take())
    await clearing.hear(wallet.cut("2026-11"))
    found = (await clearing.issue()).body
    # It gives 380 back and owes 30 of its own: gross, in one direction.
    assert found["transfers"] == [
        {"payer": XPCC, "payee": GUANGDONG, "amount_fen": 410, "paid_fen": 0}
    ]
    told = await sent(clearing, events.ClearingIssued.TYPE)
    assert told[XPCC]["lines"] == [
        line(GUANGDONG, "pharmacy", "receives", 2, -380),
        line(GUANGDONG, "pharmacy", "pays", 1, 30),
    ]
    await clearing.confirmed(GUANGDONG, XPCC)
    for fen in (10, 100, 300):
        assert await clearing.said(XPCC, paid(XPCC, GUANGDONG, fen)) is None
    assert await clearing.state() == "paid"
    # Of the month before 500 were used; this one is settled.
    assert await clearing.prefund(GUANGDONG, XPCC) == (0, 500, 100, "red")
    assert await clearing.prefund(XPCC, GUANGDONG) == (0, 0, 0, "green")


async def test_provinces_whose_lines_cancel_out_confirm_and_pay_nothing(
    clearing: Clearing,
) -> None:
    wallet = TellerWallet()
    wallet.reverse(wallet.capture((SHENZHEN, 500)), 500)
    await clearing.hear_all(wallet)
    found = (await clearing.issue()).body
    assert (found["state"], found["transfers"]) == ("issued", [])
    await clearing.confirmed(GUANGDONG, XPCC)
    assert await clearing.state() == "paid"


async def test_months_are_cleared_apart(clearing: Clearing) -> None:
    wallet = TellerWallet()
    first = wallet.capture((SHENZHEN, 500))
    wallet.refund(first, 40, period="2026-12")
    await clearing.hear(wallet.take())
    await clearing.hear([*wallet.cut("2026-12"), *wallet.cut("2026-11")])
    for period, count in (("2026-11", 1), ("2026-12", 1), ("2027-01", 0)):
        if not count:
            await clearing.hear(wallet.cut(period))
        assert (await clearing.find(period)).body["count"] == count
        assert await clearing.state(period) == "balanced"
    assert (await clearing.issue("2026-12")).status == 200
    assert await clearing.state("2026-11") == "balanced"
