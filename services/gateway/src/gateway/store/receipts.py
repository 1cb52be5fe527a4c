"""Answers given before, for callers whose person is not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit.answers import Answer
from kit.postgres import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A request that may have been answered: who asked, under which key, what."""

    caller: str
    key: str
    fingerprint: bytes


async def earlier_answers(
    pool: Pool, asked: Sequence[Repeated], *, within: float
) -> list[Answer | None]:
    """What these callers got to these very requests, whoever they were about."""
    async with pool.acquire(timeout=within) as connection:
        rows = await connection.fetch(
            """
            SELECT asked.n, receipt.status, receipt.body
            FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY
                AS asked (caller, key, fingerprint, n)
            JOIN receipt USING (caller, key, fingerprint)
            """,
            [one.caller for one in asked],
            [one.key for one in asked],
            [one.fingerprint for one in asked],
        )
    found = {
        row["n"]: Answer(status=row["status"], body=row["body"], replayed=True) for row in rows
    }
    return [found.get(n) for n in range(1, len(asked) + 1)]
