"""Persons, their numbers and enrolments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from contracts.vocabulary import Insutype
from kit.transaction import Transaction
from relations.domain.decisions import EnrolmentTold
from relations.domain.people import Enrolment, Identity, Number, Person


async def persons_by_id(tx: Transaction, person_ids: Sequence[UUID]) -> list[Person]:
    """These persons with all their enrolments; who is unknown is absent."""
    rows = await tx.fetch(
        """
        SELECT
            person.person_id, person.version, person.psn_cert_type, person.blind_index,
            person.name_index, person.key_id, person.nonce, person.ciphertext, person.born_on,
            enrolment.insutype, enrolment.pool_admdvs, enrolment.psn_no, enrolment.status,
            enrolment.since, enrolment.told_at, enrolment.reason, person_merge.kept_id
        FROM person
        JOIN enrolment USING (person_id)
        LEFT JOIN person_merge ON person_merge.merged_id = person.person_id
        WHERE person.person_id = ANY($1::uuid[])
        ORDER BY person.person_id
        """,
        person_ids,
    )
    found: dict[UUID, list[asyncpg.Record]] = {}
    for row in rows:
        found.setdefault(row["person_id"], []).append(row)
    return [_person_from(of_person) for of_person in found.values()]


def _person_from(rows: Sequence[asyncpg.Record]) -> Person:
    row = rows[0]
    return Person(
        person_id=row["person_id"],
        version=row["version"],
        identity=Identity(
            psn_cert_type=row["psn_cert_type"],
            blind_index=row["blind_index"],
            name_index=row["name_index"],
            key_id=row["key_id"],
            nonce=row["nonce"],
            ciphertext=row["ciphertext"],
            born_on=row["born_on"],
        ),
        enrolments=tuple(_enrolment_from(each) for each in rows),
        merged_into=row["kept_id"],
    )


def _enrolment_from(row: asyncpg.Record) -> Enrolment:
    return Enrolment(
        insutype=Insutype(row["insutype"]),
        pool_admdvs=row["pool_admdvs"],
        psn_no=row["psn_no"],
        status=row["status"],
        since=row["since"],
        told_at=row["told_at"],
        reason=row["reason"],
    )


async def owners_of_certificates(
    tx: Transaction, blind_indexes: Sequence[bytes]
) -> dict[bytes, UUID]:
    """Whose certificates these are; of who was merged, the one they were merged into."""
    rows = await tx.fetch(
        """
        SELECT blind_index, kept(person_id) AS person_id
        FROM person
        WHERE blind_index = ANY($1::bytea[])
        """,
        blind_indexes,
    )
    return {row["blind_index"]: row["person_id"] for row in rows}


async def name_of_certificate(tx: Transaction, blind_index: bytes) -> bytes | None:
    """The index of the name that a certificate was told with."""
    found: bytes | None = await tx.fetchval(
        "SELECT name_index FROM person WHERE blind_index = $1", blind_index
    )
    return found


async def owners_of_numbers(
    tx: Transaction, numbers: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], UUID]:
    """Whose numbers these are; a number is (pool_admdvs, psn_no)."""
    rows = await tx.fetch(
        """
        SELECT pool_admdvs, psn_no, kept(person_id) AS person_id
        FROM unnest($1::text[], $2::text[]) AS asked (pool_admdvs, psn_no)
        JOIN psn_number USING (pool_admdvs, psn_no)
        """,
        [pool for pool, _ in numbers],
        [psn_no for _, psn_no in numbers],
    )
    return {(row["pool_admdvs"], row["psn_no"]): row["person_id"] for row in rows}


async def owners_in_provinces(
    tx: Transaction, numbers: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[UUID]]:
    """Whom a province calls by a number in any of its pools; a number is (province, psn_no)."""
    rows = await tx.fetch(
        """
        SELECT province, psn_no, array_agg(DISTINCT kept(person_id)) AS person_ids
        FROM unnest($1::text[], $2::text[]) AS asked (province, psn_no)
        JOIN psn_number USING (province, psn_no)
        GROUP BY province, psn_no
        """,
        [province for province, _ in numbers],
        [psn_no for _, psn_no in numbers],
    )
    return {(row["province"], row["psn_no"]): row["person_ids"] for row in rows}


async def owners_anywhere(tx: Transaction, psn_no: str) -> list[UUID]:
    """Everybody who is called by this number somewhere."""
    rows = await tx.fetch(
        "SELECT DISTINCT kept(person_id) AS person_id FROM psn_number WHERE psn_no = $1",
        psn_no,
    )
    return [row["person_id"] for row in rows]


async def merged_among(tx: Transaction, person_ids: Sequence[UUID]) -> set[UUID]:
    """Who of these was merged into somebody else."""
    rows = await tx.fetch(
        "SELECT merged_id FROM person_merge WHERE merged_id = ANY($1::uuid[])", person_ids
    )
    return {row["merged_id"] for row in rows}


async def insert_persons(tx: Transaction, persons: Sequence[Person], now: datetime) -> None:
    if not persons:
        return
    await tx.write(
        """
        INSERT INTO person (
            person_id, version, psn_cert_type, blind_index, name_index,
            key_id, nonce, ciphertext, born_on, changed_at
        )
        SELECT *, $10 FROM unnest(
            $1::uuid[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[],
            $6::text[], $7::bytea[], $8::bytea[], $9::date[]
        )
        """,
        *_columns(persons),
        now,
        rows=len(persons),
    )


async def update_persons(
    tx: Transaction, changed: Sequence[tuple[Person, Person]], now: datetime
) -> None:
    """Persons as they are now; each must still be at the version that was read."""
    if not changed:
        return
    await tx.write(
        """
        UPDATE person SET
            version = now.version, name_index = now.name_index, key_id = now.key_id,
            nonce = now.nonce, ciphertext = now.ciphertext, born_on = now.born_on,
            changed_at = $10
        FROM unnest(
            $1::uuid[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[],
            $6::text[], $7::bytea[], $8::bytea[], $9::date[], $11::bigint[]
        ) AS now (
            person_id, version, psn_cert_type, blind_index, name_index,
            key_id, nonce, ciphertext, born_on, version_read
        )
        WHERE person.person_id = now.person_id
        AND person.version = now.version_read
        AND person.blind_index = now.blind_index
        AND person.psn_cert_type = now.psn_cert_type
        """,
        *_columns([now_ for _, now_ in changed]),
        now,
        [before.version for before, _ in changed],
        rows=len(changed),
    )


def _columns(persons: Sequence[Person]) -> tuple[list[object], ...]:
    return (
        [person.person_id for person in persons],
        [person.version for person in persons],
        [person.identity.psn_cert_type for person in persons],
        [person.identity.blind_index for person in persons],
        [person.identity.name_index for person in persons],
        [person.identity.key_id for person in persons],
        [person.identity.nonce for person in persons],
        [person.identity.ciphertext for person in persons],
        [person.identity.born_on for person in persons],
    )


async def insert_merges(tx: Transaction, merged: Sequence[Person], now: datetime) -> None:
    """Link persons to those that they turned out to be."""
    if not merged:
        return
    await tx.write(
        """
        INSERT INTO person_merge (merged_id, kept_id, merged_at)
        SELECT *, $3 FROM unnest($1::uuid[], $2::uuid[])
        """,
        [person.person_id for person in merged],
        [person.merged_into for person in merged],
        now,
        rows=len(merged),
    )


async def insert_numbers(tx: Transaction, numbers: Sequence[Number]) -> None:
    if not numbers:
        return
    await tx.write(
        """
        INSERT INTO psn_number (pool_admdvs, psn_no, province, person_id)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[])
        """,
        [number.pool_admdvs for number in numbers],
        [number.psn_no for number in numbers],
        [number.province for number in numbers],
        [number.person_id for number in numbers],
        rows=len(numbers),
    )


async def write_enrolments(tx: Transaction, enrolments: Sequence[tuple[UUID, Enrolment]]) -> None:
    """Enrolments as last told, new or changed."""
    if not enrolments:
        return
    told = [enrolment for _, enrolment in enrolments]
    await tx.write(
        """
        INSERT INTO enrolment (
            person_id, insutype, pool_admdvs, psn_no,
            status, since, told_at, reason
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::text[], $3::text[], $4::text[],
            $5::text[], $6::date[], $7::timestamptz[], $8::text[]
        )
        ON CONFLICT (person_id, insutype, pool_admdvs, psn_no) DO UPDATE SET
            status = EXCLUDED.status, since = EXCLUDED.since, told_at = EXCLUDED.told_at,
            reason = EXCLUDED.reason
        """,
        [person_id for person_id, _ in enrolments],
        [each.insutype for each in told],
        [each.pool_admdvs for each in told],
        [each.psn_no for each in told],
        [each.status for each in told],
        [each.since for each in told],
        [each.told_at for each in told],
        [each.reason for each in told],
        rows=len(told),
    )


async def insert_enrolment_events(
    tx: Transaction, told: Sequence[EnrolmentTold], now: datetime
) -> None:
    if not told:
        return
    await tx.write(
        """
        INSERT INTO enrolment_event (
            person_id, version, insutype, pool_admdvs, psn_no,
            status, since, told_at, reason, recorded_at
        )
        SELECT *, $10 FROM unnest(
            $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[],
            $6::text[], $7::date[], $8::timestamptz[], $9::text[]
        )
        """,
        [each.person_id for each in told],
        [each.version for each in told],
        [each.enrolment.insutype for each in told],
        [each.enrolment.pool_admdvs for each in told],
        [each.enrolment.psn_no for each in told],
        [each.enrolment.status for each in told],
        [each.enrolment.since for each in told],
        [each.enrolment.told_at for each in told],
        [each.enrolment.reason for each in told],
        now,
        rows=len(told),
    )
