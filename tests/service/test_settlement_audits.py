"""Each audit of settlement finds what it is there to find."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from contracts.vocabulary import PaidFor
from settlement.store.audits import AUDITS
from tests.conftest import MigratedDatabase
from tests.support.settlements import Clearing, clearing_on, paid, topped_up
from tests.support.teller_wallet import BEIJING, GUANGZHOU, HOSPITAL, SHENZHEN, TellerWallet

GUANGDONG, XPCC = "440000", "660000"
INPATIENT = PaidFor.INPATIENT


@pytest.fixture
async def clearing(migrated_database: MigratedDatabase) -> AsyncIterator[Clearing]:
    async with clearing_on(migrated_database("settlement")) as one:
        yield one


async def played(clearing: Clearing) -> None:
    """A month that is paid, and one that is under way, with an adjustment."""
    wallet = TellerWallet()
    first = wallet.capture((SHENZHEN, 500), (GUANGZHOU, 9))
    wallet.capture((BEIJING, 7))
    await clearing.hear_all(wallet)
    await clearing.issue()
    await clearing.confirmed(GUANGDONG, XPCC, "110000")
    await clearing.said(GUANGDONG, topped_up(XPCC, 1000))
    await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 509))
    await clearing.said("110000", paid("110000", XPCC, 7))
    wallet.refund(first, 20, 0, period="2026-12")
    wallet.capture((SHENZHEN, 30), period="2026-12")
    wallet.capture((SHENZHEN, 40), period="2026-12", kind=INPATIENT, institution=HOSPITAL)
    await clearing.hear(wallet.take())
    assert await clearing.state() == "paid"


PLANTED = {
    "line_falls_into_no_month_before_it_happened": """
        UPDATE line SET happened_at = '2026-11-30T16:30:00Z' WHERE amount = 500
    """,
    "opposite_line_names_its_original": """
        UPDATE line SET captured_period = '2026-10' WHERE amount = -20
    """,
    "total_equals_its_lines": "UPDATE line SET amount = 31 WHERE amount = 30",
    "pool_lies_in_one_province_all_month": """
        UPDATE total SET debtor_province = '450000' WHERE kind = 'inpatient'
    """,
    "received_equals_the_totals": "UPDATE received SET hash = hash + 1 WHERE period = '2026-12'",
    "cell_cut_equals_its_totals": "UPDATE cell_cut SET lines = lines + 1",
    "balanced_month_equals_what_the_wallet_told": "UPDATE cell_total SET hash = hash + 1",
    "balanced_month_has_heard_all_cells": "UPDATE period SET cells = 2",
    "issued_month_owes_what_its_lines_add_up_to": "UPDATE owed SET amount = 8 WHERE amount = 7",
    "issued_month_was_sent_to_whom_it_concerns": """
        DELETE FROM recipient WHERE province = '110000'
    """,
    "confirmed_month_was_confirmed_by_all": "DELETE FROM answer WHERE province = '110000'",
    "nobody_paid_more_than_was_owed_nor_less_of_a_paid_month": """
        UPDATE transfer SET amount = 510 WHERE amount = 509
    """,
    "prefund_is_used_by_lines_less_transfers": "UPDATE prefund SET used = used + 1",
    "prefund_is_what_was_deposited": "UPDATE prefund SET deposited = deposited + 1",
    "a_year_is_cleared_by_the_end_of_the_next_first_quarter": """
        INSERT INTO received VALUES ('2024-12', 0, 0, 0, 0)
    """,
}


@pytest.mark.parametrize("name", PLANTED)
async def test_what_is_planted_is_found(clearing: Clearing, name: str) -> None:
    await played(clearing)
    await clearing.audited()
    async with clearing.pool.acquire() as connection:
        # As if somebody had gone past the triggers.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(PLANTED[name])
        await connection.execute("RESET session_replication_role")
    assert await clearing.pool.fetch(AUDITS[name]) != []


def test_each_audit_has_something_planted() -> None:
    assert PLANTED.keys() == AUDITS.keys()


@pytest.mark.rule("R33")
async def test_a_line_falls_into_the_beijing_month_in_which_it_happened(
    clearing: Clearing,
) -> None:
    wallet = TellerWallet()
    for at, period in (
        (datetime(2026, 11, 30, 15, 59, tzinfo=UTC), "2026-11"),
        (datetime(2026, 11, 30, 16, 0, tzinfo=UTC), "2026-12"),
    ):
        wallet.capture((SHENZHEN, 500), period=period, happened_at=at)
    await clearing.hear(wallet.take())
    await clearing.audited()
    late = wallet.capture(
        (SHENZHEN, 500), period="2026-11", happened_at=datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    )
    await clearing.hear(wallet.take())
    found = await clearing.pool.fetch(AUDITS["line_falls_into_no_month_before_it_happened"])
    assert [row["cause_id"] for row in found] == [late.payment_id]


@pytest.mark.rule("R17")
async def test_a_year_is_cleared_by_the_end_of_the_next_first_quarter(clearing: Clearing) -> None:
    audit = AUDITS["a_year_is_cleared_by_the_end_of_the_next_first_quarter"]
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500), period="2024-12")
    await clearing.hear(wallet.take())
    await clearing.hear(wallet.cut("2024-11"))
    await clearing.hear(wallet.cut("2026-11"))
    overdue = {row["period"] for row in await clearing.pool.fetch(audit)}
    assert overdue == {"2024-11", "2024-12"}
    await clearing.issue("2024-11")
    await clearing.close("2024-11")
    await clearing.hear(wallet.cut("2024-12"))
    await clearing.issue("2024-12")
    await clearing.confirmed(GUANGDONG, XPCC, period="2024-12")
    assert {row["period"] for row in await clearing.pool.fetch(audit)} == {"2024-12"}
    await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 500, period="2024-12"))
    await clearing.close("2024-12")
    assert await clearing.pool.fetch(audit) == []
    await clearing.audited()
