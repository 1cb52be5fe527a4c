"""The month on real PostgreSQL: which one a fact falls into, by the clock of the database (F16)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import events
from contracts.commands import Capture, Refund, Reverse
from contracts.internal import institution_caller
from kit.work import Outcome
from tests.conftest import MigratedDatabase
from tests.support.database_clock import DatabaseClock
from tests.support.fault_evidence import Evidence
from tests.support.premiums import ACCEPTED, REFUNDED, answered, asked, told
from tests.support.wallet_months import (
    Pair,
    added_up,
    all_is_told,
    cut,
    last_cut_is,
    lines_of,
    months_of,
)
from tests.support.wallets import (
    PHARMACY,
    Purse,
    body_of,
    code_of,
    hold_of,
    job_of,
    payment_of,
    purse_on,
)
from wallet.domain.commands import RecordOrderAnswer
from wallet.domain.orders import OrderKind

pytestmark = pytest.mark.rule("R33")

NOVEMBER = datetime(2026, 10, 31, 16, 0, tzinfo=UTC)
"""Its first instant, in Beijing."""

LATE = datetime(2099, 1, 1, tzinfo=UTC)
"""Until when presences last: the clock of the database is none of the machine's."""


def beijing(text: str) -> datetime:
    """An instant as a clock in Beijing shows it."""
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.fixture
async def clock(migrated_database: MigratedDatabase) -> DatabaseClock:
    return await DatabaseClock.of(migrated_database("wallet"))


@pytest.fixture
async def purse(clock: DatabaseClock) -> AsyncIterator[Purse]:
    """A wallet as November begins, whose last cut was that of October."""
    async with purse_on(clock.dsn, clock=clock) as one:
        await clock.stands_at(NOVEMBER)
        await last_cut_is(one, "2026-10")
        yield one
        # The audits know how long sweeps take, and here none ran through the months that passed.
        await clock.stands_at(NOVEMBER)
        await one.audited()


@pytest.fixture
async def me(purse: Purse) -> UUID:
    """Somebody whom two provinces let spend."""
    person_id = await purse.person()
    await purse.granted(person_id, 600, "440300", age_days=9)
    await purse.granted(person_id, 100_000, "110000", age_days=1)
    return person_id


async def pay(purse: Purse, me: UUID, amount: int = 1_000, key: str | None = None) -> Any:
    command = payment_of(me, amount, presence_expires_at=LATE)
    return body_of(await ask(purse, command, me, key or str(uuid4())))


async def ask(purse: Purse, command: Any, me: UUID, key: str | None = None) -> Outcome:
    """What the pharmacy asks, under a key that it may reverse."""
    job = job_of(command, me, key or str(uuid4()))
    assert job.receipt is not None
    receipt = replace(job.receipt, caller=institution_caller(PHARMACY))
    [outcome] = await purse.cells.doors[0].perform([replace(job, receipt=receipt)])
    return outcome


async def refund(purse: Purse, me: UUID, payment_id: str, amount: int, key: str = "") -> Any:
    command = Refund(
        payment_id=UUID(payment_id), institution=PHARMACY, amount_fen=amount, reason="returned"
    )
    return body_of(await ask(purse, command, me, key or str(uuid4())))


async def reverse(purse: Purse, me: UUID, key: str) -> str:
    command = Reverse(person_id=me, institution=PHARMACY, original_key=key)
    return str(body_of(await ask(purse, command, me))["outcome"])


async def credited(purse: Purse, me: UUID) -> None:
    """Every province has credited what it was told to."""
    for order in await told(purse, events.CreditOrdered):
        command = RecordOrderAnswer(
            province=f"{order['pool_admdvs'][:2]}0000",
            order_id=UUID(order["order_id"]),
            kind=OrderKind.CREDIT,
        )
        assert code_of(await purse.do(command, me)) == "200"


async def periods(purse: Purse) -> list[tuple[str, int]]:
    """The lines there are, in the order in which they came about: month and amount."""
    rows = await purse.cells.pools[0].fetch(
        "SELECT period, CASE target WHEN 'spent' THEN amount ELSE -amount END AS amount "
        "FROM entry WHERE period IS NOT NULL ORDER BY entry_id"
    )
    return [(row["period"], row["amount"]) for row in rows]


async def test_the_wallet_asks_the_clock_that_the_test_has_set(
    purse: Purse, me: UUID, clock: DatabaseClock
) -> None:
    at = beijing("2026-11-30T23:59:59.999")
    await clock.stands_at(at)
    assert await purse.cells.pools[0].fetchval("SELECT clock_timestamp()") == at
    paid = await pay(purse, me)
    assert datetime.fromisoformat(paid["captured_at"]) == at
    rows = await purse.cells.pools[0].fetch("SELECT DISTINCT at FROM entry WHERE period <> ''")
    assert [row["at"] for row in rows] == [at]
    await clock.is_ahead(timedelta(0))
    now = await purse.cells.pools[0].fetchval("SELECT clock_timestamp()")
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=5)


BOUNDARIES = pytest.mark.parametrize(
    ("at", "period"),
    [
        ("2026-11-01T00:00:00", "2026-11"),
        ("2026-11-30T23:59:59.999", "2026-11"),
        ("2026-12-01T00:00:00", "2026-12"),
        ("2026-12-31T23:59:59.999", "2026-12"),
        ("2027-01-01T00:00:00", "2027-01"),
        ("2027-02-28T23:59:59.999", "2027-02"),
        ("2027-03-01T00:00:00", "2027-03"),
    ],
)


@pytest.mark.fault("F16")
@pytest.mark.rule("R22")
@BOUNDARIES
async def test_a_fact_falls_into_its_month_in_beijing(
    purse: Purse,
    me: UUID,
    clock: DatabaseClock,
    *,
    fault_evidence: Evidence,
    at: str,
    period: str,
) -> None:
    """F16: to the millisecond, whatever day it is elsewhere, for what is given back as well."""
    stay = hold_of(me, 300, presence_expires_at=LATE, hold_seconds=90 * 86_400)
    held = body_of(await purse.do(stay, me, "hold"))
    before = await pay(purse, me, key="before")
    assert before["period"] == "2026-11"
    await clock.stands_at(beijing(at))
    paid = await pay(purse, me, key="now")
    fault_evidence.tell("The clock of the database jumps to an instant beside a month's end.")
    fault_evidence.saw("it was, in Beijing", at)
    fault_evidence.holds(f"the month is {period}, whatever the machine's clock says")
    assert (paid["period"], paid["business_date"]) == (period, at[:10])
    if beijing(at) < datetime.fromisoformat(held["expires_at"]):
        capture = Capture(
            payment_id=UUID(held["payment_id"]), institution=held["institution"], amount_fen=200
        )
        assert body_of(await purse.do(capture, me, "capture"))["period"] == period
    given = await refund(purse, me, before["payment_id"], 100)
    assert given["period"] == period
    assert await reverse(purse, me, "now") == "reversed"
    [reversed_] = await told(purse, events.PaymentReversed)
    assert reversed_["period"] == period
    after = [month for month, amount in await periods(purse) if amount < 0]
    assert set(after) == {period}
    [row] = await told(purse, events.PaymentRefunded)
    assert (row["refund_id"], row["period"]) == (given["refund_id"], period)


@pytest.mark.rule("R15")
@BOUNDARIES
async def test_a_month_is_cut_when_it_is_over_in_beijing(
    purse: Purse, clock: DatabaseClock, at: str, period: str
) -> None:
    """Not before its last millisecond has passed; months follow one another."""
    months = months_of(purse, early=False)
    await clock.stands_at(beijing(at))
    due = ["2026-11", "2026-12", "2027-01", "2027-02", "2027-03"]
    for month in due:
        said = await cut(months, month)
        assert said == ("cut" if month < period else "wrong-state"), month
    rows = await purse.cells.pools[0].fetch("SELECT period FROM period_cut ORDER BY period")
    assert [row["period"] for row in rows] == [month for month in due if month < period]
    await all_is_told(purse, *(month for month in due if month < period))


@pytest.mark.rule("R15")
async def test_a_late_cut_takes_nothing_of_the_next_month(
    purse: Purse, me: UUID, clock: DatabaseClock
) -> None:
    """December has begun, and November is not cut: what happens now is December's all the same."""
    november = await pay(purse, me, key="november")
    await clock.stands_at(beijing("2026-12-02T09:00:00"))
    assert (await pay(purse, me))["period"] == "2026-12"
    assert (await refund(purse, me, november["payment_id"], 700))["period"] == "2026-12"
    months = months_of(purse, early=False)
    assert await cut(months, "2026-11") == "cut"
    assert (await pay(purse, me))["period"] == "2026-12"
    assert await cut(months, "2026-12") == "wrong-state"
    await clock.stands_at(beijing("2027-01-01T00:00:00"))
    assert await cut(months, "2026-12") == "cut"
    lines = await all_is_told(purse, "2026-11", "2026-12")
    assert sum(line.amount for line in lines if line.period == "2026-11") == 1_000
    assert sum(line.amount for line in lines if line.period == "2026-12") == 2_000 - 700


@pytest.mark.rule("R22")
@pytest.mark.rule("R15")
async def test_after_an_early_cut_all_that_happens_falls_into_the_next_month(
    purse: Purse, me: UUID
) -> None:
    """Payments, captures, refunds, reversals and retakes: the original stays where it was."""
    first = await pay(purse, me, key="first")
    second = await pay(purse, me, key="second")
    third = await pay(purse, me, key="third")
    await refund(purse, me, third["payment_id"], 300, key="refund")
    held = body_of(await purse.do(hold_of(me, 500, presence_expires_at=LATE), me, "hold"))
    await credited(purse, me)
    months = months_of(purse)
    assert await cut(months, "2026-11") == "cut"

    assert (await pay(purse, me))["period"] == "2026-12"
    capture = Capture(
        payment_id=UUID(held["payment_id"]), institution=held["institution"], amount_fen=400
    )
    assert body_of(await purse.do(capture, me, "capture"))["period"] == "2026-12"
    given = await refund(purse, me, first["payment_id"], 500)
    assert given["period"] == "2026-12"
    assert await reverse(purse, me, "second") == "reversed"
    assert await reverse(purse, me, "refund") == "reversed"
    undone = {each["reverses"]: each for each in await told(purse, events.PaymentReversed)}
    assert {each["period"] for each in undone.values()} == {"2026-12"}
    rows = {
        row["kind"]: row
        for row in await purse.cells.pools[0].fetch(
            "SELECT kind, refund_id, payment_id, retakes FROM refund WHERE period = '2026-12'"
        )
    }
    assert undone["capture"]["row_id"] == str(rows["reversal"]["refund_id"])
    assert undone["capture"]["row_id"] == undone["capture"]["refund_id"]
    assert undone["refund"]["row_id"] == str(rows["retake"]["refund_id"])
    assert undone["refund"]["refund_id"] == str(rows["retake"]["retakes"])
    assert rows["reversal"]["payment_id"] == UUID(second["payment_id"])
    stays = "SELECT DISTINCT period FROM payment WHERE payment_id = ANY($1::uuid[])"
    ids = [UUID(each["payment_id"]) for each in (first, second, third)]
    assert [row["period"] for row in await purse.cells.pools[0].fetch(stays, ids)] == ["2026-11"]

    assert await cut(months, "2026-12") == "cut"
    lines = await all_is_told(purse, "2026-11", "2026-12")
    assert sum(line.amount for line in lines if line.period == "2026-11") == 3_000 - 300
    assert sum(line.amount for line in lines if line.period == "2026-12") == (
        1_000 + 400 - 500 - 1_000 + 300
    )


@pytest.mark.rule("R15")
async def test_a_month_is_told_gross_by_debtor_creditor_and_kind(purse: Purse, me: UUID) -> None:
    """The sharers' pools owe the place of care, or the premium's fund; nothing is netted away."""
    paid = await pay(purse, me, 1_000)
    premium = await asked(purse, me, 2_000)
    assert await answered(purse, me, premium, ACCEPTED) == "200"
    await refund(purse, me, paid["payment_id"], 1_000)
    assert await cut(months_of(purse), "2026-11") == "cut"
    assert await answered(purse, me, premium, REFUNDED) == "200"
    lines = await all_is_told(purse, "2026-11")
    november = added_up(lines, "2026-11")
    assert {pair: (total.lines, total.sum_fen) for pair, total in november.items()} == {
        Pair("440300", "659002", "pharmacy"): (2, 0),
        Pair("110000", "659002", "pharmacy"): (2, 0),
        Pair("110000", "659002", "premium_390"): (1, 2_000),
    }
    december = added_up(lines, "2026-12")
    assert {pair.kind: total.sum_fen for pair, total in december.items()} == {"premium_390": -2_000}


async def test_months_without_a_fact_are_told_too(purse: Purse) -> None:
    months = months_of(purse)
    for period in ("2026-11", "2026-12", "2027-01"):
        assert await cut(months, period) == "cut"
    assert await all_is_told(purse, "2026-11", "2026-12", "2027-01") == []


@pytest.mark.rule("R15")
async def test_a_cut_that_is_repeated_or_out_of_order_changes_nothing(
    purse: Purse, me: UUID
) -> None:
    await pay(purse, me)
    months = months_of(purse)
    assert await cut(months, "2026-12") == "wrong-state", "November comes before it"
    assert await cut(months, "2026-11") == "cut"
    once = await rows(purse)
    for period in ("2026-11", "2026-10", "2020-01"):
        assert await cut(months, period) == "cut"
    for period in ("2027-01", "2099-12"):
        assert await cut(months, period) == "wrong-state"
    assert await cut(months_of(purse, early=False), "2026-12") == "wrong-state"
    assert await rows(purse) == once
    assert len(await lines_of(purse.cells.pools[0])) == 2


async def rows(purse: Purse) -> list[Any]:
    """All that a cut may write."""
    pool = purse.cells.pools[0]
    return [
        [tuple(row) for row in await pool.fetch(f"SELECT * FROM {table} ORDER BY 1")]
        for table in ("clearing_clock", "period_cut", "outbox", "entry")
    ]
