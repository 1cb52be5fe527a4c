"""Statements that compare what cells told of a month with what was received of it."""

from __future__ import annotations

import asyncpg

from contracts.clearing import Difference
from contracts.vocabulary import PaidFor
from kit.transaction import Transaction

MOST_NAMED = 10


async def level_months(tx: Transaction) -> list[str]:
    """Months all of whose cells were heard, and of each as much received as it told in all.

    That is cheap to ask after every batch; whether each total is the same is asked then.
    """
    rows = await tx.fetch(
        """
        SELECT period FROM period
        WHERE state = 'cut'
        AND cells = (SELECT count(*) FROM cell_cut WHERE cell_cut.period = period.period)
        AND NOT EXISTS (
            SELECT FROM (SELECT * FROM cell_cut WHERE cell_cut.period = period.period) AS theirs
            FULL JOIN (SELECT * FROM received WHERE received.period = period.period) AS ours
                USING (cell)
            WHERE (coalesce(theirs.lines, 0), coalesce(theirs.amount, 0), coalesce(theirs.hash, 0))
                <> (coalesce(ours.lines, 0), coalesce(ours.amount, 0), coalesce(ours.hash, 0))
        )
        ORDER BY period
        """
    )
    return [row["period"] for row in rows]


async def received_of(tx: Transaction, period: str) -> dict[int, int]:
    """How many lines were received of each cell's month."""
    rows = await tx.fetch("SELECT cell, lines FROM received WHERE period = $1", period)
    return {row["cell"]: row["lines"] for row in rows}


async def differences_of(tx: Transaction, period: str, most: int) -> list[Difference]:
    """The first totals in which cells that were heard differ from what was received.

    Where one line of ours explains a difference, it is named: it is not theirs, or they have it
    twice, or with another amount.
    """
    rows = await tx.fetch(
        """
        WITH ours AS (
            SELECT
                cell, debtor, creditor, kind, sum(lines) AS lines, sum(amount) AS amount,
                mod(sum(hash), 18446744073709551616) AS hash
            FROM total
            WHERE period = $1
            GROUP BY cell, debtor, creditor, kind
        ),
        theirs AS (
            SELECT cell, debtor, creditor, kind, lines, amount, hash
            FROM cell_total
            WHERE period = $1
        )
        SELECT
            cell, debtor, creditor, kind,
            (coalesce(theirs.lines, 0) - coalesce(ours.lines, 0))::bigint AS lines,
            (coalesce(theirs.amount, 0) - coalesce(ours.amount, 0))::bigint AS amount,
            mod(
                coalesce(theirs.hash, 0) - coalesce(ours.hash, 0) + 18446744073709551616,
                18446744073709551616
            )::text AS hash
        FROM ours
        FULL JOIN theirs USING (cell, debtor, creditor, kind)
        WHERE (ours.lines, ours.amount, ours.hash)
            IS DISTINCT FROM (theirs.lines, theirs.amount, theirs.hash)
        AND (
            cell IN (SELECT heard.cell FROM cell_cut AS heard WHERE heard.period = $1)
            OR cell >= (SELECT cells FROM period WHERE period.period = $1)
        )
        ORDER BY cell, debtor, creditor, kind
        LIMIT $2
        """,
        period,
        most,
    )
    return [_difference(row, await _named(tx, period, row)) for row in rows]


async def _named(tx: Transaction, period: str, row: asyncpg.Record) -> tuple[str, ...]:
    rows = await tx.fetch(
        """
        SELECT cause_id::text || '/' || quota_id::text AS name
        FROM line
        CROSS JOIN LATERAL line_hash(cause_id, quota_id, amount) AS hash
        WHERE period = $1 AND cell = $2 AND debtor = $3 AND creditor = $4 AND kind = $5
        AND CASE $6::bigint
            WHEN 1 THEN amount = $7 AND hash = $8::text::numeric
            WHEN -1 THEN amount = -$7 AND hash + $8::text::numeric = 18446744073709551616
            WHEN 0 THEN amount + $7 <> 0 AND mod(
                line_hash(cause_id, quota_id, amount + $7) - hash + 18446744073709551616,
                18446744073709551616
            ) = $8::text::numeric
            ELSE false
        END
        ORDER BY 1
        LIMIT $9
        """,
        period,
        *(row["cell"], row["debtor"], row["creditor"], row["kind"]),
        *(row["lines"], row["amount"], row["hash"]),
        MOST_NAMED,
    )
    return tuple(found["name"] for found in rows)


def _difference(row: asyncpg.Record, named: tuple[str, ...]) -> Difference:
    return Difference(
        cell=row["cell"],
        debtor=row["debtor"],
        creditor=row["creditor"],
        kind=PaidFor(row["kind"]),
        what="missing" if row["lines"] > 0 else "extra" if row["lines"] < 0 else "changed",
        count=row["lines"],
        sum_fen=row["amount"],
        named=named,
    )
