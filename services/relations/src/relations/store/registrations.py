"""Registrations for care away from home."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from kit.transaction import Transaction
from relations.domain.registration import Registration


async def registrations_of(tx: Transaction, persons: Sequence[UUID]) -> list[Registration]:
    rows = await tx.fetch(
        """
        SELECT person_id, mdtrtarea_admvs, valid_from, valid_to, told_at, times_told
        FROM registration
        WHERE person_id = ANY($1::uuid[])
        """,
        persons,
    )
    return [
        Registration(
            person_id=row["person_id"],
            mdtrtarea_admvs=row["mdtrtarea_admvs"],
            valid_from=row["valid_from"],
            valid_to=row["valid_to"],
            told_at=row["told_at"],
            times_told=row["times_told"],
        )
        for row in rows
    ]


async def write_registrations(tx: Transaction, registrations: Sequence[Registration]) -> None:
    """Registrations as told last, new or changed."""
    if not registrations:
        return
    await tx.write(
        """
        INSERT INTO registration (
            person_id, mdtrtarea_admvs, valid_from, valid_to, told_at, times_told
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::text[], $3::date[], $4::date[], $5::timestamptz[], $6::integer[]
        )
        ON CONFLICT (person_id, mdtrtarea_admvs) DO UPDATE SET
            valid_from = EXCLUDED.valid_from, valid_to = EXCLUDED.valid_to,
            told_at = EXCLUDED.told_at, times_told = EXCLUDED.times_told
        """,
        [each.person_id for each in registrations],
        [each.mdtrtarea_admvs for each in registrations],
        [each.valid_from for each in registrations],
        [each.valid_to for each in registrations],
        [each.told_at for each in registrations],
        [each.times_told for each in registrations],
        rows=len(registrations),
    )
