"""Statements about quotes that were given."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from gateway.domain.quotes import GivenQuote
from kit.postgres import Pool
from kit.transaction import Transaction


async def insert_quotes(tx: Transaction, quotes: Sequence[GivenQuote]) -> None:
    await tx.write(
        """
        INSERT INTO quote (quote_id, institution, person_id, asked, expires_at)
        SELECT quote_id, institution, person_id, asked, expires_at
        FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $5::timestamptz[])
            AS given (quote_id, institution, person_id, asked, expires_at)
        """,
        [quote.quote_id for quote in quotes],
        [quote.institution for quote in quotes],
        [quote.person_id for quote in quotes],
        [quote.asked for quote in quotes],
        [quote.expires_at for quote in quotes],
        rows=len(quotes),
    )


async def live_quote(tx: Transaction, quote_id: UUID) -> GivenQuote | None:
    """The quote with this id, unless it has expired."""
    row = await tx.fetchrow(
        """
        SELECT quote_id, institution, person_id, asked, expires_at
        FROM quote
        WHERE quote_id = $1 AND expires_at > clock_timestamp()
        """,
        quote_id,
    )
    return None if row is None else GivenQuote(**row)


async def prune(pool: Pool, *, most: int, within: float) -> int:
    """Forget at most `most` quotes that have expired; returns how many."""
    async with pool.acquire(timeout=within) as connection:
        status = await connection.execute(
            """
            DELETE FROM quote
            WHERE quote_id = ANY (ARRAY(
                SELECT quote_id FROM quote WHERE expires_at <= now() LIMIT $1
            ))
            """,
            most,
        )
    return int(status.rpartition(" ")[2])
