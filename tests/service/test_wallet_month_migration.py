"""What was written before months were cut gets its month from the migration that brought them."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from kit.migrate import migrate, migrations_of
from tests.conftest import MakeDatabase
from tests.support.places import ROOT
from tests.support.wallet_months import Pair, added_up, lines_of
from wallet.store.audits import AUDITS

FOLDER: Path = ROOT / "services" / "wallet" / "migrations"


def n(number: int) -> UUID:
    return UUID(int=(7 << 76) | (2 << 62) | number)


ONE, OTHER = n(1), n(2)
PAID, AT_ONCE = n(11), n(12)
REFUND, RETAKE, TWIN_A, TWIN_B = n(21), n(22), n(23), n(24)

# A premium of 100 from two quotas, of which 50 were given back and charged again, and then twice
# 20 in one batch; another one of 30, paid at once.
ROWS = f"""
INSERT INTO quota (quota_id, relation_id, beneficiary_id, sharer_id, sharer_psn_no, sharer_admdvs,
    kind, related_at, state, granted, available, spent, restoring)
VALUES
    ('{ONE}', '{n(91)}', '{n(3)}', '{n(4)}', '1', '440300', 'parent', now(), 'active',
        1000, 910, 90, 0),
    ('{OTHER}', '{n(92)}', '{n(3)}', '{n(5)}', '2', '110000', 'parent', now(), 'active',
        500, 460, 0, 40);
INSERT INTO payment (payment_id, person_id, insuplc_admdvs, purpose, state, requested, amount,
    captured, refunded, business_date, period, held_at, captured_at)
VALUES
    ('{PAID}', '{n(3)}', '659002', 'premium_390', 'captured', 100, 100, 100, 40,
        '2026-05-10', '2026-05', '2026-05-10', '2026-05-10 01:00Z'),
    ('{AT_ONCE}', '{n(3)}', '659002', 'premium_410', 'captured', 30, 30, 30, 0,
        '2026-07-11', '2026-07', '2026-07-11', '2026-07-11 01:00Z');
INSERT INTO premium (payment_id, person_id, insutype, year, levy_no, psn_no, state, times,
    ask_again_at)
VALUES
    ('{PAID}', '{n(3)}', '390', 2027, 'L', 'p', 'accepted', 1, now()),
    ('{AT_ONCE}', '{n(3)}', '410', 2027, 'L', 'p', 'accepted', 1, now());
INSERT INTO allocation (payment_id, ordinal, quota_id, kind, sharer_admdvs, amount)
VALUES
    ('{PAID}', 1, '{ONE}', 'parent', '440300', 60),
    ('{PAID}', 2, '{OTHER}', 'parent', '110000', 40),
    ('{AT_ONCE}', 1, '{ONE}', 'parent', '440300', 30);
INSERT INTO refund (refund_id, payment_id, kind, amount, reason, retakes, business_date, period, at)
VALUES
    ('{REFUND}', '{PAID}', 'refund', 50, 'r', NULL, '2026-06-10', '2026-06', '2026-06-10 01:00Z'),
    ('{RETAKE}', '{PAID}', 'retake', 50, 'r', '{REFUND}', '2026-07-10', '2026-07',
        '2026-07-10 01:00Z'),
    ('{TWIN_A}', '{PAID}', 'refund', 20, 'r', NULL, '2026-08-10', '2099-01', now()),
    ('{TWIN_B}', '{PAID}', 'refund', 20, 'r', NULL, '2026-08-10', '2099-02', now());
INSERT INTO entry (quota_id, source, target, amount, payment_id, order_id, at)
VALUES
    ('{ONE}', 'province', 'available', 1000, NULL, '{n(31)}', '2026-05-09'),
    ('{OTHER}', 'province', 'available', 500, NULL, '{n(32)}', '2026-05-09'),
    ('{ONE}', 'available', 'held', 60, '{PAID}', NULL, '2026-05-10'),
    ('{OTHER}', 'available', 'held', 40, '{PAID}', NULL, '2026-05-10'),
    ('{ONE}', 'held', 'spent', 60, '{PAID}', NULL, '2026-05-10 01:00Z'),
    ('{OTHER}', 'held', 'spent', 40, '{PAID}', NULL, '2026-05-10 01:00Z'),
    ('{ONE}', 'spent', 'restoring', 10, '{PAID}', NULL, '2026-06-10 01:00Z'),
    ('{OTHER}', 'spent', 'restoring', 40, '{PAID}', NULL, '2026-06-10 01:00Z'),
    ('{ONE}', 'restoring', 'available', 10, '{PAID}', NULL, '2026-06-11'),
    ('{OTHER}', 'restoring', 'available', 40, '{PAID}', NULL, '2026-06-11'),
    ('{ONE}', 'available', 'spent', 10, '{PAID}', NULL, '2026-07-10 01:00Z'),
    ('{OTHER}', 'available', 'spent', 40, '{PAID}', NULL, '2026-07-10 01:00Z'),
    ('{ONE}', 'available', 'spent', 30, '{AT_ONCE}', NULL, '2026-07-11 01:00Z'),
    ('{OTHER}', 'spent', 'restoring', 20, '{PAID}', NULL, now()),
    ('{OTHER}', 'spent', 'restoring', 20, '{PAID}', NULL, now());
INSERT INTO account_order (order_id, quota_id, beneficiary_id, kind, amount, payment_id, refund_id,
    freezes, state, sent_at, asked_at, answered_at)
VALUES
    ('{n(31)}', '{ONE}', '{n(3)}', 'freeze', 1000, NULL, NULL, NULL, 'confirmed',
        '2026-05-09', '2026-05-09', now()),
    ('{n(32)}', '{OTHER}', '{n(3)}', 'freeze', 500, NULL, NULL, NULL, 'confirmed',
        '2026-05-09', '2026-05-09', now()),
    ('{n(33)}', '{ONE}', '{n(3)}', 'debit', 60, '{PAID}', NULL, NULL, 'confirmed',
        '2026-05-10 01:00Z', '2026-05-10', now()),
    ('{n(34)}', '{OTHER}', '{n(3)}', 'debit', 40, '{PAID}', NULL, NULL, 'confirmed',
        '2026-05-10 01:00Z', '2026-05-10', now()),
    ('{n(35)}', '{ONE}', '{n(3)}', 'credit', 10, '{PAID}', '{REFUND}', true, 'confirmed',
        '2026-06-10 01:00Z', '2026-06-10', now()),
    ('{n(36)}', '{OTHER}', '{n(3)}', 'credit', 40, '{PAID}', '{REFUND}', true, 'confirmed',
        '2026-06-10 01:00Z', '2026-06-10', now()),
    ('{n(37)}', '{ONE}', '{n(3)}', 'debit', 10, '{PAID}', NULL, NULL, 'confirmed',
        '2026-07-10 01:00Z', '2026-07-10', now()),
    ('{n(38)}', '{OTHER}', '{n(3)}', 'debit', 40, '{PAID}', NULL, NULL, 'confirmed',
        '2026-07-10 01:00Z', '2026-07-10', now()),
    ('{n(39)}', '{ONE}', '{n(3)}', 'debit', 30, '{AT_ONCE}', NULL, NULL, 'confirmed',
        '2026-07-11 01:00Z', '2026-07-11', now()),
    ('{n(40)}', '{OTHER}', '{n(3)}', 'credit', 20, '{PAID}', '{TWIN_A}', true, 'sent',
        now(), now(), NULL),
    ('{n(41)}', '{OTHER}', '{n(3)}', 'credit', 20, '{PAID}', '{TWIN_B}', true, 'sent',
        now(), now(), NULL);
"""


@pytest.mark.rule("R22")
async def test_what_there_is_gets_its_month(make_database: MakeDatabase) -> None:
    dsn, migrations = make_database("wallet"), migrations_of("wallet", FOLDER)
    before = [each for each in migrations if each.name < "wallet/0002"]
    assert before[-1].name == "wallet/0001_wallet.sql"
    await migrate(dsn, before)
    pool = await asyncpg.create_pool(
        dsn, min_size=1, max_size=1, server_settings={"search_path": "cell_0"}
    )
    async with pool:
        await pool.execute(ROWS)
        await migrate(dsn, migrations)
        rows = await pool.fetch(
            "SELECT source, target, amount, period, refund_id FROM entry "
            "WHERE period IS NOT NULL ORDER BY entry_id"
        )
        assert [tuple(row) for row in rows][:-2] == [
            ("held", "spent", 60, "2026-05", None),
            ("held", "spent", 40, "2026-05", None),
            ("spent", "restoring", 10, "2026-06", REFUND),
            ("spent", "restoring", 40, "2026-06", REFUND),
            ("available", "spent", 10, "2026-07", RETAKE),
            ("available", "spent", 40, "2026-07", RETAKE),
            ("available", "spent", 30, "2026-07", None),
        ]
        assert {(row["period"], row["refund_id"]) for row in rows[-2:]} == {
            ("2099-01", TWIN_A),
            ("2099-02", TWIN_B),
        }
        assert await pool.fetchval("SELECT last_cut FROM clearing_clock") == "2026-04"
        for name, sql in AUDITS.items():
            assert await pool.fetch(sql) == [], name
        with pytest.raises(asyncpg.RestrictViolationError):
            await pool.execute("UPDATE entry SET period = '2026-12'")
        july = added_up(await lines_of(pool), "2026-07")
    assert {pair: total.sum_fen for pair, total in july.items()} == {
        Pair("440300", "659002", "premium_390"): 10,
        Pair("110000", "659002", "premium_390"): 40,
        Pair("440300", "659002", "premium_410"): 30,
    }


async def test_a_new_wallet_has_cut_the_month_before_its_first(make_database: MakeDatabase) -> None:
    dsn = make_database("wallet")
    await migrate(dsn, migrations_of("wallet", FOLDER))
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "cell_0"})
    try:
        installed = await connection.fetchval("SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date")
        last: str = await connection.fetchval("SELECT last_cut FROM clearing_clock")
        year, month = divmod(installed.year * 12 + installed.month - 2, 12)
        assert last == f"{year}-{month + 1:02}"
        assert await connection.fetchval("SELECT count(*) FROM period_cut") == 0
    finally:
        await connection.close()
