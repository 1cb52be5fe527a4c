"""Statements for explanations: lines, and how far their months are. They only read."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from kit.transaction import Transaction
from settlement.domain.history import LineKnown, MonthKnown


async def lines_of(tx: Transaction, causes: Collection[UUID], most: int) -> list[LineKnown]:
    """The newest lines of these payments and opposite rows."""
    rows = await tx.fetch(
        """
        SELECT cause_id, quota_id, payment_id, period, captured_period, debtor, creditor,
            debtor_province, creditor_province, kind, institution, amount, recorded_at AS at
        FROM line
        WHERE cause_id = ANY($1::uuid[])
        ORDER BY recorded_at DESC
        LIMIT $2
        """,
        list(causes),
        most,
    )
    return [LineKnown(**row) for row in rows]


async def months_known(tx: Transaction, periods: Collection[str]) -> list[MonthKnown]:
    """When these months reached their states, as far as they did."""
    rows = await tx.fetch(
        """
        SELECT period, cut_at, balanced_at, issued_at, confirmed_at, paid_at, closed_at
        FROM period WHERE period = ANY($1::text[])
        """,
        list(periods),
    )
    return [MonthKnown(**row) for row in rows]
