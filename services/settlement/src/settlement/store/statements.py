"""Statements about what is stated: a month's totals, tier by tier, and the digest of them all."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

from contracts.vocabulary import PaidFor, Tier
from kit.transaction import Transaction
from settlement.domain.statement import Inside, Row, Statements

_SUMS = """
sum(lines)::bigint AS lines, sum(amount)::bigint AS amount,
sum(adjusting_lines)::bigint AS adjusting_lines, sum(adjusting_amount)::bigint AS adjusting_amount
"""


async def statements_of(tx: Transaction, period: str) -> Statements:
    """What a balanced month is to be issued as."""
    return Statements(
        digest=await digest_of(tx, period),
        national=await national_rows(tx, period),
        inside=await inside_rows(tx, period),
    )


async def digest_of(tx: Transaction, period: str) -> str:
    """The hex SHA-256 of the month and its finest rows, cells added up, each a line of text."""
    digest: str = await tx.fetchval(
        """
        WITH finest AS (
            SELECT concat_ws(
                '|', debtor, creditor, kind, institution,
                sum(lines), sum(amount), sum(adjusting_lines), sum(adjusting_amount)
            ) AS line
            FROM total
            WHERE period = $1
            GROUP BY debtor, creditor, kind, institution
        )
        SELECT encode(sha256(convert_to(
            concat_ws(chr(10), $1::text, string_agg(line, chr(10) ORDER BY line COLLATE "C")),
            'UTF8'
        )), 'hex')
        FROM finest
        """,
        period,
    )
    return digest


async def national_rows(tx: Transaction, period: str) -> tuple[Row, ...]:
    """Province owes province, the diagonal among them."""
    return _rows(
        await tx.fetch(
            f"""
            SELECT debtor_province AS debtor, creditor_province AS creditor, kind, {_SUMS}
            FROM total
            WHERE period = $1
            GROUP BY debtor_province, creditor_province, kind
            ORDER BY debtor_province, creditor_province, kind
            """,  # noqa: S608 -- a constant list of columns
            period,
        )
    )


async def inside_rows(tx: Transaction, period: str) -> tuple[Inside, ...]:
    """Pool owes pool of the same province: what the diagonal is made of."""
    rows = await tx.fetch(
        f"""
        SELECT debtor_province AS province, debtor, creditor, kind, {_SUMS}
        FROM total
        WHERE period = $1 AND debtor_province = creditor_province
        GROUP BY debtor_province, debtor, creditor, kind
        ORDER BY debtor_province, debtor, creditor, kind
        """,  # noqa: S608 -- a constant list of columns
        period,
    )
    return tuple(Inside(province=row["province"], row=_row(row)) for row in rows)


async def province_rows(tx: Transaction, period: str, province: str) -> tuple[Row, ...]:
    """Pool owes pool, where either lies in the province."""
    return _rows(
        await tx.fetch(
            f"""
            SELECT debtor, creditor, kind, {_SUMS}
            FROM total
            WHERE period = $1 AND (debtor_province = $2 OR creditor_province = $2)
            GROUP BY debtor, creditor, kind
            ORDER BY debtor, creditor, kind
            """,  # noqa: S608 -- a constant list of columns
            period,
            province,
        )
    )


async def city_rows(tx: Transaction, period: str, pool: str) -> tuple[Row, ...]:
    """Pool owes pool, where either is this one."""
    return _rows(
        await tx.fetch(
            f"""
            SELECT debtor, creditor, kind, {_SUMS}
            FROM total
            WHERE period = $1 AND (debtor = $2 OR creditor = $2)
            GROUP BY debtor, creditor, kind
            ORDER BY debtor, creditor, kind
            """,  # noqa: S608 -- a constant list of columns
            period,
            pool,
        )
    )


async def institution_rows(tx: Transaction, period: str, institution: str) -> tuple[Row, ...]:
    """Pool owes for what this institution did."""
    return _rows(
        await tx.fetch(
            f"""
            SELECT debtor, institution AS creditor, kind, {_SUMS}
            FROM total
            WHERE period = $1 AND institution = $2
            GROUP BY debtor, institution, kind
            ORDER BY debtor, institution, kind
            """,  # noqa: S608 -- a constant list of columns
            period,
            institution,
        )
    )


async def rows_of(tx: Transaction, period: str, tier: Tier, of: str) -> tuple[Row, ...]:
    """The rows of one tier; `of` is the province, pool or institution, empty for the nation."""
    match tier:
        case "national":
            return await national_rows(tx, period)
        case "province":
            return await province_rows(tx, period, of)
        case "city":
            return await city_rows(tx, period, of)
        case "institution":
            return await institution_rows(tx, period, of)


def _rows(found: Iterable[asyncpg.Record]) -> tuple[Row, ...]:
    return tuple(map(_row, found))


def _row(row: asyncpg.Record) -> Row:
    return Row(
        debtor=row["debtor"],
        creditor=row["creditor"],
        kind=PaidFor(row["kind"]),
        lines=row["lines"],
        amount=row["amount"],
        adjusting_lines=row["adjusting_lines"],
        adjusting_amount=row["adjusting_amount"],
    )
