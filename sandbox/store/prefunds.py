"""What provinces have deposited with others, and which warnings they have not answered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import asyncpg

from kit.transaction import Transaction
from sandbox.domain.prefund import Deposit, Prefund, PrefundName, Prefunds


async def read_prefunds(tx: Transaction, names: Collection[PrefundName]) -> Prefunds:
    rows = await tx.fetch(
        """
        SELECT province, counterpart, deposited_fen, unanswered_percent
        FROM unnest($1::text[], $2::text[]) AS asked (province, counterpart)
        JOIN prefund USING (province, counterpart)
        """,
        [province for province, _ in names],
        [counterpart for _, counterpart in names],
    )
    return _prefunds_of(rows)


async def read_unanswered_prefunds(tx: Transaction, province: str) -> Prefunds:
    """Those about which this province has kept silent."""
    rows = await tx.fetch(
        """
        SELECT province, counterpart, deposited_fen, unanswered_percent
        FROM prefund WHERE province = $1 AND unanswered_percent IS NOT NULL
        ORDER BY counterpart
        """,
        province,
    )
    return _prefunds_of(rows)


def _prefunds_of(rows: list[asyncpg.Record]) -> Prefunds:
    prefunds = [Prefund(**row) for row in rows]
    return Prefunds(known={prefund.name: prefund for prefund in prefunds})


async def write_prefunds(tx: Transaction, prefunds: Prefunds, now: datetime) -> None:
    """Write what a batch changed."""
    await _write_changed(tx, [prefunds.known[name] for name in sorted(prefunds.changed)])
    await _insert_deposits(tx, prefunds.deposits, now)


async def _write_changed(tx: Transaction, changed: list[Prefund]) -> None:
    if not changed:
        return
    await tx.write(
        """
        INSERT INTO prefund (province, counterpart, deposited_fen, unanswered_percent)
        SELECT province, counterpart, deposited_fen, unanswered_percent
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[])
            AS new (province, counterpart, deposited_fen, unanswered_percent)
        ON CONFLICT (province, counterpart) DO UPDATE SET
            deposited_fen = EXCLUDED.deposited_fen,
            unanswered_percent = EXCLUDED.unanswered_percent
        """,
        [prefund.province for prefund in changed],
        [prefund.counterpart for prefund in changed],
        [prefund.deposited_fen for prefund in changed],
        [prefund.unanswered_percent for prefund in changed],
        rows=len(changed),
    )


async def _insert_deposits(tx: Transaction, deposits: list[Deposit], now: datetime) -> None:
    if not deposits:
        return
    await tx.insert(
        "deposit",
        ("province", "counterpart", "amount_fen", "told_at"),
        [(*deposit.prefund, deposit.amount_fen, now) for deposit in deposits],
    )
