"""Statements about prefunds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import asyncpg

from kit.transaction import Transaction
from settlement.domain.prefund import Pair, Prefund


async def prefunds_of(tx: Transaction, pairs: Collection[Pair]) -> dict[Pair, Prefund]:
    rows = await tx.fetch(
        """
        SELECT debtor, creditor, deposited, used, level
        FROM unnest($1::text[], $2::text[]) AS asked (debtor, creditor)
        JOIN prefund USING (debtor, creditor)
        """,
        [debtor for debtor, _ in pairs],
        [creditor for _, creditor in pairs],
    )
    return {(row["debtor"], row["creditor"]): _prefund(row) for row in rows}


async def write_prefunds(tx: Transaction, prefunds: Sequence[Prefund]) -> None:
    if not prefunds:
        return
    await tx.write(
        """
        INSERT INTO prefund (debtor, creditor, deposited, used, level)
        SELECT debtor, creditor, deposited, used, level
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
            AS became (debtor, creditor, deposited, used, level)
        ON CONFLICT (debtor, creditor) DO UPDATE SET
            deposited = EXCLUDED.deposited, used = EXCLUDED.used, level = EXCLUDED.level
        """,
        [prefund.debtor for prefund in prefunds],
        [prefund.creditor for prefund in prefunds],
        [prefund.deposited for prefund in prefunds],
        [prefund.used for prefund in prefunds],
        [prefund.level for prefund in prefunds],
        rows=len(prefunds),
    )


async def known_top_ups(tx: Transaction, top_up_ids: Collection[UUID]) -> set[UUID]:
    rows = await tx.fetch(
        "SELECT top_up_id FROM top_up WHERE top_up_id = ANY($1::uuid[])", list(top_up_ids)
    )
    return {row["top_up_id"] for row in rows}


async def prefunds_after(tx: Transaction, after: Pair, most: int) -> list[Prefund]:
    """The first prefunds behind this pair, in order; `("", "")` stands before all."""
    rows = await tx.fetch(
        """
        SELECT debtor, creditor, deposited, used, level FROM prefund
        WHERE (debtor, creditor) > ($1, $2)
        ORDER BY debtor, creditor
        LIMIT $3
        """,
        *after,
        most,
    )
    return [_prefund(row) for row in rows]


def _prefund(row: asyncpg.Record) -> Prefund:
    return Prefund(**row)
