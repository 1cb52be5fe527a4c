"""Sessions: keys that institutions share with the gateway for some hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.domain.sessions import BegunSession
from kit.postgres import Pool
from kit.transaction import Transaction


async def live_long_keys(tx: Transaction, key_ids: Sequence[str]) -> set[tuple[str, str]]:
    """(institution, key id) of those of these long keys that are live."""
    rows = await tx.fetch(
        """
        SELECT institution, key_id FROM institution_key
        WHERE key_id = ANY($1::text[]) AND valid_to IS NULL
        """,
        key_ids,
    )
    return {(row["institution"], row["key_id"]) for row in rows}


async def live_sessions(
    tx: Transaction, institutions: Sequence[str], now: datetime
) -> dict[str, int]:
    """How many sessions these institutions have; those without any are left out."""
    rows = await tx.fetch(
        """
        SELECT session.institution, count(*) AS live
        FROM session
        JOIN institution_key AS held
            ON held.key_id = session.begun_by
            AND held.valid_to IS NULL
            AND held.valid_from <= session.begun_at
        WHERE session.institution = ANY($1::text[]) AND session.expires_at > $2
        GROUP BY session.institution
        """,
        institutions,
        now,
    )
    return {row["institution"]: row["live"] for row in rows}


async def write_sessions(tx: Transaction, begun: Sequence[BegunSession]) -> None:
    await tx.write(
        """
        INSERT INTO session (key_id, institution, begun_by, sealed_key, begun_at, expires_at)
        SELECT key_id, institution, begun_by, sealed_key, begun_at, expires_at
        FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[]
        ) AS begun (key_id, institution, begun_by, sealed_key, begun_at, expires_at)
        """,
        [session.sealed.key_id for session in begun],
        [session.institution for session in begun],
        [session.sealed.begun_by for session in begun],
        [session.sealed.sealed_key for session in begun],
        [session.begun_at for session in begun],
        [session.expires_at for session in begun],
        rows=len(begun),
    )


async def prune(pool: Pool, *, most: int, within: float) -> int:
    """Forget at most `most` sessions that have expired; returns how many."""
    async with pool.acquire(timeout=within) as connection:
        status = await connection.execute(
            """
            DELETE FROM session
            WHERE key_id = ANY (ARRAY(
                SELECT key_id FROM session WHERE expires_at <= now() LIMIT $1
            ))
            """,
            most,
        )
    return int(status.rpartition(" ")[2])
