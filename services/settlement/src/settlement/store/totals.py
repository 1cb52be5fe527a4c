"""Statements about what lines add up to: folded once a batch, compared, and stated."""

from __future__ import annotations

from collections.abc import Mapping

from kit.transaction import Transaction
from settlement.domain.folded import Received, Sums, TotalKey


async def add_totals(tx: Transaction, totals: Mapping[TotalKey, Sums]) -> None:
    """Add what a batch's lines amount to. Sums of hashes go as text: they exceed a bigint."""
    await tx.write(
        """
        INSERT INTO total AS before (
            period, debtor, creditor, kind, institution, cell, debtor_province, creditor_province,
            lines, amount, hash, adjusting_lines, adjusting_amount
        )
        SELECT
            period, debtor, creditor, kind, institution, cell, debtor_province, creditor_province,
            lines, amount, mod(hash::numeric, 18446744073709551616),
            adjusting_lines, adjusting_amount
        FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[],
            $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::text[],
            $12::bigint[], $13::bigint[]
        ) AS added (
            period, debtor, creditor, kind, institution, cell, debtor_province, creditor_province,
            lines, amount, hash, adjusting_lines, adjusting_amount
        )
        ON CONFLICT (period, debtor, creditor, kind, institution, cell) DO UPDATE SET
            lines = before.lines + EXCLUDED.lines,
            amount = before.amount + EXCLUDED.amount,
            hash = mod(before.hash + EXCLUDED.hash, 18446744073709551616),
            adjusting_lines = before.adjusting_lines + EXCLUDED.adjusting_lines,
            adjusting_amount = before.adjusting_amount + EXCLUDED.adjusting_amount
        """,
        [key.period for key in totals],
        [key.debtor for key in totals],
        [key.creditor for key in totals],
        [key.kind for key in totals],
        [key.institution for key in totals],
        [key.cell for key in totals],
        [sums.debtor_province for sums in totals.values()],
        [sums.creditor_province for sums in totals.values()],
        [sums.lines for sums in totals.values()],
        [sums.amount for sums in totals.values()],
        [str(sums.hash) for sums in totals.values()],
        [sums.adjusting_lines for sums in totals.values()],
        [sums.adjusting_amount for sums in totals.values()],
        rows=len(totals),
    )


async def add_received(tx: Transaction, received: Mapping[tuple[str, int], Received]) -> None:
    """Add what was received of each month and cell."""
    await tx.write(
        """
        INSERT INTO received AS before (period, cell, lines, amount, hash)
        SELECT period, cell, lines, amount, mod(hash::numeric, 18446744073709551616)
        FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::text[])
            AS added (period, cell, lines, amount, hash)
        ON CONFLICT (period, cell) DO UPDATE SET
            lines = before.lines + EXCLUDED.lines,
            amount = before.amount + EXCLUDED.amount,
            hash = mod(before.hash + EXCLUDED.hash, 18446744073709551616)
        """,
        [period for period, _ in received],
        [cell for _, cell in received],
        [sums.lines for sums in received.values()],
        [sums.amount for sums in received.values()],
        [str(sums.hash) for sums in received.values()],
        rows=len(received),
    )
