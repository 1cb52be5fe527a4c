"""Statements about months: the lock and the clock of the cut, and what a month adds up to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.events import CutTotal
from contracts.vocabulary import PaidFor
from kit.transaction import Transaction
from wallet.domain.cut_period import Cut

CUT_LOCK = 0x43_55_54
"""The space of advisory locks in which each cell's number is the lock of its cut."""


async def share_cut_lock(tx: Transaction) -> None:
    """Whoever writes shares this lock; the cut of a month takes it alone."""
    await tx.fetch("SELECT pg_advisory_xact_lock_shared($1::integer, $2)", CUT_LOCK, tx.cell)


async def take_cut_lock(tx: Transaction) -> None:
    """Wait until nobody writes. Whoever comes meanwhile waits behind, so it must not last long.

    Raises asyncpg's LockNotAvailableError, a passing error, after 0.3 s.
    """
    await tx.fetch("SET LOCAL lock_timeout = '300ms'")
    await tx.fetch("SELECT pg_advisory_xact_lock($1::integer, $2)", CUT_LOCK, tx.cell)


async def last_cut(tx: Transaction) -> str:
    """The last month that was cut, as `2026-11`."""
    cut: str = await tx.fetchval("SELECT last_cut FROM clearing_clock")
    return cut


async def move_last_cut(tx: Transaction, before: str, after: str) -> None:
    if before == after:
        return
    await tx.write(
        "UPDATE clearing_clock SET last_cut = $2 WHERE last_cut = $1", before, after, rows=1
    )


async def insert_cut(tx: Transaction, period: str, now: datetime) -> None:
    """Note a cut, and the last entry there is: under its lock no other is being written."""
    await tx.write(
        """
        INSERT INTO period_cut (period, cut_at, last_entry)
        SELECT $1, $2, coalesce(max(entry_id), 0) FROM entry
        """,
        period,
        now,
        rows=1,
    )


async def cuts_of(tx: Transaction, periods: Sequence[str]) -> dict[str, Cut]:
    rows = await tx.fetch(
        "SELECT period, cut_at, told_at FROM period_cut WHERE period = ANY($1::text[])", periods
    )
    return {row["period"]: Cut(**dict(row)) for row in rows}


async def untold_cuts(tx: Transaction) -> list[str]:
    """Months that were cut and whose totals nobody was told, in their order."""
    rows = await tx.fetch("SELECT period FROM period_cut WHERE told_at IS NULL ORDER BY period")
    return [row["period"] for row in rows]


async def note_told(tx: Transaction, periods: Sequence[str], now: datetime) -> None:
    if not periods:
        return
    await tx.write(
        "UPDATE period_cut SET told_at = $2 WHERE period = ANY($1::text[])",
        periods,
        now,
        rows=len(periods),
    )


async def totals_of(tx: Transaction, period: str) -> tuple[CutTotal, ...]:
    """What each pool owes each place of care, or fund, for each kind; see `CutTotal`.

    The hashes are read as signed and summed as such: modulo 2^64 that is the same.
    """
    rows = await tx.fetch(
        """
        SELECT
            quota.sharer_admdvs AS debtor,
            coalesce(payment.mdtrtarea_admvs, payment.insuplc_admdvs) AS creditor,
            payment.purpose AS kind,
            count(*) AS lines,
            sum(line.amount)::bigint AS owed,
            sum(
                substr(
                    sha256(
                        convert_to(
                            line.cause_id || '|' || line.quota_id || '|' || line.amount, 'UTF8'
                        )
                    ),
                    1, 8
                )::bigint
            )::text AS hashes
        FROM (
            SELECT
                coalesce(refund_id, payment_id) AS cause_id, payment_id, quota_id,
                CASE WHEN target = 'spent' THEN amount ELSE -amount END AS amount
            FROM entry
            WHERE period = $1
        ) AS line
        JOIN payment USING (payment_id)
        JOIN quota USING (quota_id)
        GROUP BY 1, 2, 3
        ORDER BY 1, 2, 3
        """,
        period,
    )
    return tuple(
        CutTotal(
            debtor=row["debtor"],
            creditor=row["creditor"],
            kind=PaidFor(row["kind"]),
            count=row["lines"],
            sum_fen=row["owed"],
            hash=f"{int(row['hashes']) % 2**64:016x}",
        )
        for row in rows
    )
