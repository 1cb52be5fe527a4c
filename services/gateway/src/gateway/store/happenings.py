"""Statements about what lists and timelines are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg

from gateway.domain.happenings import Happening, KnownQuota, ListedPayment, SharedAmount
from kit.postgres import Pool
from kit.transaction import Transaction


async def insert_happenings(tx: Transaction, happenings: Sequence[Happening]) -> None:
    if not happenings:
        return
    await tx.insert(
        "happening",
        (
            *("person_id", "event_id", "at", "type", "relation_id", "quota_id", "payment_id"),
            *("state", "amount"),
        ),
        [
            (
                each.person_id,
                each.event_id,
                each.at,
                each.type,
                each.relation_id,
                each.quota_id,
                each.payment_id,
                each.state,
                each.amount,
            )
            for each in happenings
        ],
    )


async def insert_shares(tx: Transaction, shares: Sequence[SharedAmount]) -> None:
    if not shares:
        return
    await tx.insert(
        "shared_amount",
        ("quota_id", "event_id", "on_day", "type", "amount"),
        [(each.quota_id, each.event_id, each.on_day, each.type, each.amount) for each in shares],
    )


async def list_payments(tx: Transaction, payments: Sequence[ListedPayment]) -> None:
    """Put payments into their lists; one that stands there keeps the place of its hold."""
    if not payments:
        return
    await tx.fetch(
        """
        INSERT INTO listed_payment (payment_id, institution, business_date, held_at)
        SELECT payment_id, institution, business_date, held_at
        FROM unnest($1::uuid[], $2::text[], $3::date[], $4::timestamptz[])
            AS told (payment_id, institution, business_date, held_at)
        ON CONFLICT (payment_id) DO NOTHING
        """,
        [each.payment_id for each in payments],
        [each.institution for each in payments],
        [each.business_date for each in payments],
        [each.held_at for each in payments],
    )


async def insert_quotas(tx: Transaction, quotas: Sequence[KnownQuota]) -> None:
    if not quotas:
        return
    await tx.write(
        """
        INSERT INTO known_quota (quota_id, relation_id, sharer_id, beneficiary_id)
        SELECT quota_id, relation_id, sharer_id, beneficiary_id
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[])
            AS opened (quota_id, relation_id, sharer_id, beneficiary_id)
        """,
        [each.quota_id for each in quotas],
        [each.relation_id for each in quotas],
        [each.sharer_id for each in quotas],
        [each.beneficiary_id for each in quotas],
        rows=len(quotas),
    )


async def end_quotas(tx: Transaction, quota_ids: Sequence[UUID]) -> None:
    if not quota_ids:
        return
    await tx.write(
        "UPDATE known_quota SET ended = true WHERE quota_id = ANY($1::uuid[])",
        quota_ids,
        rows=len(quota_ids),
    )


async def quotas_by_id(tx: Transaction, quota_ids: Sequence[UUID]) -> dict[UUID, KnownQuota]:
    rows = await tx.fetch(
        """
        SELECT quota_id, relation_id, sharer_id, beneficiary_id, ended
        FROM known_quota
        WHERE quota_id = ANY($1::uuid[])
        """,
        quota_ids,
    )
    return {row["quota_id"]: KnownQuota(**row) for row in rows}


async def page_of_payments(
    tx: Transaction, institution: str, day: date, before: tuple[datetime, UUID], most: int
) -> list[tuple[datetime, UUID]]:
    """Places of an institution's payments of a Beijing day, newest first: held_at and id."""
    rows = await tx.fetch(
        """
        SELECT held_at, payment_id
        FROM listed_payment
        WHERE institution = $1 AND business_date = $2 AND (held_at, payment_id) < ($3, $4)
        ORDER BY held_at DESC, payment_id DESC
        LIMIT $5
        """,
        institution,
        day,
        *before,
        most,
    )
    return [(row["held_at"], row["payment_id"]) for row in rows]


async def page_of_timeline(
    tx: Transaction, person_id: UUID, before: tuple[datetime, UUID], most: int
) -> list[asyncpg.Record]:
    """What happened to somebody, newest first; a share stands at the beginning of its day."""
    return await tx.fetch(
        """
        SELECT at, event_id, type, relation_id, quota_id, payment_id, state, amount,
            NULL::date AS on_day
        FROM happening
        WHERE person_id = $1 AND (at, event_id) < ($2, $3)
        UNION ALL
        SELECT began.at, share.event_id, share.type, NULL, NULL, NULL, NULL, share.amount,
            share.on_day
        FROM known_quota
        JOIN shared_amount AS share USING (quota_id)
        CROSS JOIN LATERAL (
            SELECT share.on_day::timestamp AT TIME ZONE 'Asia/Shanghai' AS at
        ) AS began
        WHERE known_quota.sharer_id = $1 AND (began.at, share.event_id) < ($2, $3)
        ORDER BY at DESC, event_id DESC
        LIMIT $4
        """,
        person_id,
        *before,
        most,
    )


async def read_up_to(tx: Transaction, partitions: Mapping[str, int]) -> datetime | None:
    """Until when all partitions of these topics were read; None while one never was."""
    row = await tx.fetchrow(
        "SELECT count(*) AS known, min(as_of) AS as_of FROM read_up_to WHERE topic = ANY($1)",
        list(partitions),
    )
    assert row is not None, "an aggregate has one row"
    as_of: datetime | None = row["as_of"]
    return as_of if row["known"] >= sum(partitions.values()) else None


async def tell_read_up_to(
    pool: Pool, reached: Mapping[tuple[str, int], datetime], *, within: float
) -> None:
    """Keep how far was read; never backwards. Nothing is decided by it, so it has no door."""
    places = sorted(reached)
    async with pool.acquire(timeout=within) as connection:
        await connection.execute(
            """
            INSERT INTO read_up_to AS known (topic, partition, as_of)
            SELECT topic, partition, as_of
            FROM unnest($1::text[], $2::integer[], $3::timestamptz[])
                AS told (topic, partition, as_of)
            ORDER BY topic, partition
            ON CONFLICT (topic, partition) DO UPDATE SET as_of = EXCLUDED.as_of
            WHERE known.as_of < EXCLUDED.as_of
            """,
            [topic for topic, _ in places],
            [partition for _, partition in places],
            [reached[place] for place in places],
        )
