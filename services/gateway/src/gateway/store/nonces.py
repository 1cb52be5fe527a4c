"""Nonces: each may be used once by its key, over all processes and restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit.postgres import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonce:
    """`created` is in Unix seconds, as the signer wrote it."""

    key_id: str
    nonce: str
    created: int


async def claim(pool: Pool, nonces: Sequence[Nonce], *, within: float) -> set[tuple[str, str]]:
    """Keep these nonces; returns (key id, nonce) of those that were new.

    In the order of their keys, so that two processes never wait for one another. Without an
    anchor or a receipt: nothing is decided here that a second try could decide otherwise.
    """
    async with pool.acquire(timeout=within) as connection:
        rows = await connection.fetch(
            """
            INSERT INTO nonce (key_id, nonce, created_at)
            SELECT key_id, nonce, to_timestamp(created)
            FROM unnest($1::text[], $2::text[], $3::bigint[]) AS used (key_id, nonce, created)
            ORDER BY key_id, nonce
            ON CONFLICT (key_id, nonce) DO NOTHING
            RETURNING key_id, nonce
            """,
            [used.key_id for used in nonces],
            [used.nonce for used in nonces],
            [used.created for used in nonces],
        )
    return {(row["key_id"], row["nonce"]) for row in rows}


async def prune(pool: Pool, *, seconds: int, most: int, within: float) -> int:
    """Forget at most `most` nonces created more than `seconds` ago; returns how many."""
    async with pool.acquire(timeout=within) as connection:
        status = await connection.execute(
            """
            DELETE FROM nonce
            WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM nonce
                WHERE created_at < now() - make_interval(secs => $1)
                LIMIT $2
            ))
            """,
            seconds,
            most,
        )
    return int(status.rpartition(" ")[2])
