"""Institutions and their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from contracts.public import Institution
from contracts.vocabulary import InstitutionKind
from gateway.domain.institutions import KeptKey, PublicKey
from gateway.domain.sessions import SealedSession
from gateway.domain.told import RecordInstitution
from kit.postgres import Pool
from kit.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A live key and the institution that signs with it.

    `seconds_left` is how long a session lasts from now on, by the database's clock.
    """

    key: PublicKey | SealedSession
    institution: Institution
    seconds_left: float | None


async def live_keys(pool: Pool, key_ids: Sequence[str], *, within: float) -> dict[str, KnownKey]:
    """The live ones of these keys, sessions too, by key id; `within` seconds for a connection."""
    async with pool.acquire(timeout=within) as connection:
        rows = await connection.fetch(
            """
            SELECT
                held.key_id, held.algorithm, held.public_key,
                NULL::text AS begun_by, NULL::text AS sealed_key, NULL::float8 AS seconds_left,
                owner.code, owner.name, owner.kind, owner.mdtrtarea_admvs, owner.wallet_enabled
            FROM institution_key AS held
            JOIN institution_now AS owner ON owner.code = held.institution
            WHERE held.key_id = ANY($1::text[]) AND held.valid_to IS NULL
            UNION ALL
            SELECT
                session.key_id, NULL, NULL,
                session.begun_by, session.sealed_key,
                extract(EPOCH FROM session.expires_at - now())::float8,
                owner.code, owner.name, owner.kind, owner.mdtrtarea_admvs, owner.wallet_enabled
            FROM session
            JOIN institution_key AS held
                ON held.key_id = session.begun_by
                AND held.valid_to IS NULL
                AND held.valid_from <= session.begun_at
            JOIN institution_now AS owner ON owner.code = session.institution
            WHERE session.key_id = ANY($1::text[]) AND session.expires_at > now()
            """,
            key_ids,
        )
    return {
        row["key_id"]: KnownKey(
            key=_key(row),
            institution=Institution(
                code=row["code"],
                name=row["name"],
                kind=InstitutionKind(row["kind"]),
                mdtrtarea_admvs=row["mdtrtarea_admvs"],
                wallet_enabled=row["wallet_enabled"],
            ),
            seconds_left=row["seconds_left"],
        )
        for row in rows
    }


def _key(row: asyncpg.Record) -> PublicKey | SealedSession:
    if row["sealed_key"] is not None:
        return SealedSession(
            key_id=row["key_id"], begun_by=row["begun_by"], sealed_key=row["sealed_key"]
        )
    return PublicKey(key_id=row["key_id"], algorithm=row["algorithm"], public_key=row["public_key"])


async def keys_of(
    tx: Transaction, institutions: Sequence[str], key_ids: Sequence[str]
) -> list[KeptKey]:
    """Every key, live or retired, of these institutions or under these ids."""
    rows = await tx.fetch(
        """
        SELECT key_id, institution, slot, algorithm, public_key, valid_to IS NULL AS live
        FROM institution_key
        WHERE institution = ANY($1::text[]) OR key_id = ANY($2::text[])
        """,
        institutions,
        key_ids,
    )
    return [
        KeptKey(
            key=PublicKey(
                key_id=row["key_id"], algorithm=row["algorithm"], public_key=row["public_key"]
            ),
            institution=row["institution"],
            slot=row["slot"],
            live=row["live"],
        )
        for row in rows
    ]


async def write_institutions(
    tx: Transaction, institutions: Sequence[Institution], now: datetime
) -> None:
    """Said again, it changes nothing, not even `changed_at`."""
    await tx.write(
        """
        INSERT INTO institution AS known (
            code, name, kind, mdtrtarea_admvs, wallet_enabled, changed_at
        )
        SELECT code, name, kind, mdtrtarea_admvs, wallet_enabled, $6
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[])
            AS said (code, name, kind, mdtrtarea_admvs, wallet_enabled)
        ON CONFLICT (code) DO UPDATE SET
            name = EXCLUDED.name,
            kind = EXCLUDED.kind,
            mdtrtarea_admvs = EXCLUDED.mdtrtarea_admvs,
            wallet_enabled = EXCLUDED.wallet_enabled,
            changed_at = CASE
                WHEN (known.name, known.kind, known.mdtrtarea_admvs, known.wallet_enabled)
                    = (
                        EXCLUDED.name, EXCLUDED.kind, EXCLUDED.mdtrtarea_admvs,
                        EXCLUDED.wallet_enabled
                    )
                THEN known.changed_at
                ELSE EXCLUDED.changed_at
            END
        """,
        [institution.code for institution in institutions],
        [institution.name for institution in institutions],
        [institution.kind.value for institution in institutions],
        [institution.mdtrtarea_admvs for institution in institutions],
        [institution.wallet_enabled for institution in institutions],
        now,
        rows=len(institutions),
    )


async def retire_keys(tx: Transaction, keys: Sequence[KeptKey], now: datetime) -> None:
    await tx.write(
        """
        UPDATE institution_key SET valid_to = $2
        WHERE key_id = ANY($1::text[]) AND valid_to IS NULL
        """,
        [kept.key.key_id for kept in keys],
        now,
        rows=len(keys),
    )


async def begin_keys(tx: Transaction, keys: Sequence[KeptKey], now: datetime) -> None:
    """A key that was retired and is said again becomes live again, in the slot that is free."""
    await tx.write(
        """
        INSERT INTO institution_key
            (key_id, institution, slot, algorithm, public_key, valid_from)
        SELECT key_id, institution, slot, algorithm, public_key, $6
        FROM unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::text[])
            AS begun (key_id, institution, slot, algorithm, public_key)
        ON CONFLICT (key_id) DO UPDATE SET
            slot = EXCLUDED.slot, valid_from = EXCLUDED.valid_from, valid_to = NULL
        """,
        [kept.key.key_id for kept in keys],
        [kept.institution for kept in keys],
        [kept.slot for kept in keys],
        [kept.key.algorithm for kept in keys],
        [kept.key.public_key for kept in keys],
        now,
        rows=len(keys),
    )


async def write_told(tx: Transaction, told: RecordInstitution) -> None:
    """Keep what a province told, unless something newer is known for the same first day."""
    await tx.fetch(
        """
        INSERT INTO institution_told AS known (
            code, valid_from, valid_to, told_at, name, level,
            mdtrtarea_admvs, active, wallet_enabled
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (code, valid_from) DO UPDATE SET
            valid_to = EXCLUDED.valid_to, told_at = EXCLUDED.told_at, name = EXCLUDED.name,
            level = EXCLUDED.level, mdtrtarea_admvs = EXCLUDED.mdtrtarea_admvs,
            active = EXCLUDED.active, wallet_enabled = EXCLUDED.wallet_enabled
        WHERE known.told_at < EXCLUDED.told_at
        """,
        told.code,
        told.valid_from,
        told.valid_to,
        told.told_at,
        told.name,
        told.level,
        told.mdtrtarea_admvs,
        told.active,
        told.wallet_enabled,
    )
