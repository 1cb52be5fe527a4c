"""Prefunds: deposited, used, warned about, replenished (R16)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from contracts import events
from policy.policy import Policy
from tests.conftest import MigratedDatabase
from tests.support.settlements import Clearing, clearing_on, paid, topped_up
from tests.support.teller_wallet import ALAR, BEIJING, GUANGZHOU, SHENZHEN, TellerWallet

GUANGDONG, XPCC = "440000", "660000"


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("settlement")


@pytest.fixture
async def clearing(dsn: str) -> AsyncIterator[Clearing]:
    async with clearing_on(dsn) as one:
        yield one
        await one.audited()


async def deposited(clearing: Clearing, fen: int) -> None:
    assert await clearing.said(GUANGDONG, topped_up(XPCC, fen)) is None


async def used(clearing: Clearing, wallet: TellerWallet, *amounts: int) -> None:
    """Guangdong's sharers give these fen at Alar, in one batch."""
    for fen in amounts:
        wallet.capture((SHENZHEN, fen))
    await clearing.hear(wallet.take())


async def warned(clearing: Clearing) -> list[tuple[str, str, str, int]]:
    """Who was warned of whom, how badly."""
    return [
        (each.topic, each.body["counterpart"], each.body["level"], each.body["ratio_percent"])
        for each in await clearing.told(events.PrefundWarned.TYPE)
    ]


TO = f"to.{GUANGDONG}"


@pytest.mark.rule("R16")
async def test_a_prefund_is_used_and_its_province_warned_once_a_rise(clearing: Clearing) -> None:
    wallet = TellerWallet()
    await deposited(clearing, 1000)
    assert await clearing.prefund(GUANGDONG, XPCC) == (1000, 0, 0, "green")
    await used(clearing, wallet, 400, 299)
    assert await clearing.prefund(GUANGDONG, XPCC) == (1000, 699, 69, "green")
    assert await warned(clearing) == []
    await used(clearing, wallet, 1)
    assert await clearing.prefund(GUANGDONG, XPCC) == (1000, 700, 70, "yellow")
    await used(clearing, wallet, 199)
    assert await clearing.prefund(GUANGDONG, XPCC) == (1000, 899, 89, "yellow")
    assert await warned(clearing) == [(TO, XPCC, "yellow", 70)]
    await used(clearing, wallet, 1)
    await used(clearing, wallet, 500)
    assert await clearing.prefund(GUANGDONG, XPCC) == (1000, 1400, 140, "red")
    assert await warned(clearing) == [(TO, XPCC, "yellow", 70), (TO, XPCC, "red", 90)]
    await deposited(clearing, 1001)
    assert await clearing.prefund(GUANGDONG, XPCC) == (2001, 1400, 69, "green")
    await used(clearing, wallet, 500)
    assert (await warned(clearing))[2:] == [(TO, XPCC, "red", 94)]


@pytest.mark.rule("R16")
async def test_a_batch_that_jumps_to_red_warns_once(clearing: Clearing) -> None:
    wallet = TellerWallet()
    await deposited(clearing, 1000)
    await used(clearing, wallet, 750, 200)
    assert await warned(clearing) == [(TO, XPCC, "red", 95)]
    changes = await clearing.told(events.PrefundChanged.TYPE)
    assert [(each.key, each.body["used_fen"], each.body["level"]) for each in changes] == [
        ("440000-660000", 0, "green"),
        ("440000-660000", 950, "red"),
    ]


@pytest.mark.rule("R16")
async def test_where_nothing_was_deposited_all_is_used_at_once(clearing: Clearing) -> None:
    wallet = TellerWallet()
    await used(clearing, wallet, 1)
    assert await clearing.prefund(GUANGDONG, XPCC) == (0, 1, 100, "red")
    assert await warned(clearing) == [(TO, XPCC, "red", 100)]


@pytest.mark.rule("R15")
@pytest.mark.rule("R16")
async def test_what_stays_inside_a_province_uses_no_prefund(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.capture((SHENZHEN, 500), (GUANGZHOU, 20), at=GUANGZHOU)
    wallet.capture((BEIJING, 9), at=BEIJING)
    await clearing.hear(wallet.take())
    assert await clearing.parked() == []
    assert (await clearing.prefunds()).body["items"] == []


@pytest.mark.rule("R16")
async def test_a_clearing_payment_replenishes_what_was_used(clearing: Clearing) -> None:
    wallet = TellerWallet()
    await deposited(clearing, 1000)
    await used(clearing, wallet, 950)
    await clearing.hear(wallet.cut("2026-11"))
    await clearing.issue()
    event_id = uuid4()
    for _ in range(2):
        assert await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 300), event_id) is None
    assert await clearing.prefund(GUANGDONG, XPCC) == (1000, 650, 65, "green")
    assert await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 650)) is None
    assert await clearing.prefund(GUANGDONG, XPCC) == (1000, 0, 0, "green")
    assert await warned(clearing) == [(TO, XPCC, "red", 95)]


@pytest.mark.rule("R16")
async def test_a_transfer_to_an_institution_replenishes_nothing(clearing: Clearing) -> None:
    wallet = TellerWallet()
    await used(clearing, wallet, 950)
    await clearing.hear(wallet.cut("2026-11"))
    await clearing.issue()
    assert await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 9, tier="institution")) is None
    assert await clearing.prefund(GUANGDONG, XPCC) == (0, 950, 100, "red")


@pytest.mark.rule("R16")
async def test_refunds_bring_the_use_below_nothing(clearing: Clearing) -> None:
    wallet = TellerWallet()
    await deposited(clearing, 1000)
    one = wallet.capture((SHENZHEN, 500))
    await clearing.hear_all(wallet)
    await clearing.issue()
    await clearing.confirmed(GUANGDONG, XPCC)
    await clearing.said(GUANGDONG, paid(GUANGDONG, XPCC, 500))
    wallet.refund(one, 120, period="2026-12")
    await clearing.hear_all(wallet, "2026-12")
    assert await clearing.prefund(GUANGDONG, XPCC) == (1000, -120, 0, "green")
    # The creditor gives it back, and the prefund is as it was.
    assert (await clearing.issue("2026-12")).status == 200
    await clearing.confirmed(GUANGDONG, XPCC, period="2026-12")
    assert await clearing.said(XPCC, paid(XPCC, GUANGDONG, 120, period="2026-12")) is None
    assert await clearing.prefund(GUANGDONG, XPCC) == (1000, 0, 0, "green")
    assert await clearing.state("2026-12") == "paid"


async def test_a_batch_that_cancels_out_changes_and_tells_nothing(clearing: Clearing) -> None:
    wallet = TellerWallet()
    wallet.reverse(wallet.capture((SHENZHEN, 500)), 500)
    await clearing.hear(wallet.take())
    assert await clearing.told(events.PrefundChanged.TYPE) == []
    assert (await clearing.prefunds()).body["items"] == []


async def test_a_deposit_counts_once_however_often_it_is_told(clearing: Clearing) -> None:
    event_id = uuid4()
    for _ in range(3):
        assert await clearing.said(GUANGDONG, topped_up(XPCC, 1000), event_id) is None
    await deposited(clearing, 1000)
    assert await clearing.prefund(GUANGDONG, XPCC) == (2000, 0, 0, "green")


@pytest.mark.parametrize("counterpart", [GUANGDONG, SHENZHEN, ALAR, "999999"])
async def test_nobody_deposits_with_itself_or_with_no_province(
    clearing: Clearing, counterpart: str
) -> None:
    assert await clearing.said(GUANGDONG, topped_up(counterpart, 1000)) == "not-found"
    assert (await clearing.prefunds()).body["items"] == []


REGION = """
region: "440000"
name: 广东省
settings:
  prefund:
    - value: {months_of_mean: 1, warn_percent: 20, red_percent: 30, top_up_on_red: true}
      valid_from: 2026-01-09
      grade: U
      source: this test
"""


@pytest.mark.rule("R16")
async def test_thresholds_are_policy_of_the_debtors_region(dsn: str, tmp_path: Path) -> None:
    (tmp_path / "440000.yaml").write_text(REGION, encoding="utf-8")
    async with clearing_on(dsn, policy=Policy.load(tmp_path)) as clearing:
        wallet = TellerWallet()
        await deposited(clearing, 1000)
        await used(clearing, wallet, 200)
        assert await clearing.prefund(GUANGDONG, XPCC) == (1000, 200, 20, "yellow")
        await used(clearing, wallet, 100)
        assert await clearing.prefund(GUANGDONG, XPCC) == (1000, 300, 30, "red")
        assert await clearing.said("110000", topped_up(XPCC, 1000)) is None
        wallet.capture((BEIJING, 300))
        await clearing.hear(wallet.take())
        assert await clearing.prefund("110000", XPCC) == (1000, 300, 30, "green")
        await clearing.audited()


async def test_prefunds_are_listed_in_pages(clearing: Clearing) -> None:
    pairs = [("110000", "440000"), ("110000", "660000"), ("440000", "110000"), ("660000", "110000")]
    for debtor, creditor in reversed(pairs):
        assert await clearing.said(debtor, topped_up(creditor, 5)) is None
    found: list[tuple[str, str]] = []
    after: str | None = None
    for size in (3, 1):
        page = (await clearing.prefunds(limit=3, after=after)).body
        assert len(page["items"]) == size
        found += [(each["debtor"], each["creditor"]) for each in page["items"]]
        after = page["next_cursor"]
    assert found == pairs
    assert after is None
