"""Statements about lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.transaction import Transaction
from settlement.domain.line import Line


async def insert_lines(tx: Transaction, lines: Sequence[Line]) -> None:
    await tx.insert(
        "line",
        (
            *("cause_id", "quota_id", "payment_id", "cell", "period", "captured_period"),
            *("debtor", "creditor", "debtor_province", "creditor_province"),
            *("kind", "institution", "amount", "happened_at", "recorded_at"),
        ),
        lines,
    )


async def captured_periods(
    tx: Transaction, payment_ids: Collection[str]
) -> dict[tuple[str, str], str]:
    """In which month these payments were captured, from each quota; by their ids as text."""
    rows = await tx.fetch(
        """
        SELECT payment_id::text, quota_id::text, period FROM line
        WHERE cause_id = ANY($1::uuid[]) AND cause_id = payment_id
        """,
        list(payment_ids),
    )
    return {(row["payment_id"], row["quota_id"]): row["period"] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """A line of one month whose payment was captured in an earlier one (R22)."""

    cause_id: UUID
    payment_id: UUID
    captured_period: str
    debtor: str
    creditor: str
    kind: str
    amount: int
    original_amount: int
    happened_at: datetime


async def adjustments_of(tx: Transaction, period: str, most: int) -> list[Adjustment]:
    """The first adjusting lines of a month, each with what its original owed."""
    rows = await tx.fetch(
        """
        SELECT
            line.cause_id, line.payment_id, line.captured_period, line.debtor, line.creditor,
            line.kind, line.amount, original.amount AS original_amount, line.happened_at
        FROM line
        JOIN line AS original
            ON original.cause_id = line.payment_id AND original.quota_id = line.quota_id
        WHERE line.period = $1 AND line.captured_period < line.period
        ORDER BY line.happened_at, line.cause_id, line.quota_id
        LIMIT $2
        """,
        period,
        most,
    )
    return [Adjustment(**row) for row in rows]
