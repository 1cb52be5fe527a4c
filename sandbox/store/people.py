"""People of this world: who they are, where they are enrolled and registered, what they show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import asyncpg

from kit.transaction import Transaction
from sandbox.domain.commands import ChangeEnrolment, ChangeRegistration, IssueEcCode
from sandbox.domain.people import Person


async def count_people(tx: Transaction) -> int:
    """How many were ever made."""
    made: int = await tx.fetchval("SELECT coalesce(max(number), 0) FROM person")
    return made


async def taken_numbers(tx: Transaction, born_on: date) -> set[str]:
    """The identity numbers of everybody born on that day."""
    rows = await tx.fetch("SELECT cert_no FROM person WHERE born_on = $1", born_on)
    return {row["cert_no"] for row in rows}


async def read_person(tx: Transaction, psn_no: str) -> Person | None:
    row = await tx.fetchrow(
        """
        SELECT
            psn_no, province, insuplc_admdvs, insutype, psn_cert_type, cert_no, name,
            born_on, retired
        FROM person WHERE psn_no = $1
        """,
        psn_no,
    )
    return None if row is None else person_of(row)


def person_of(row: asyncpg.Record) -> Person:
    return Person(**row)


async def write_person(tx: Transaction, person: Person, number: int, now: datetime) -> None:
    await tx.write(
        """
        INSERT INTO person (
            psn_no, province, insuplc_admdvs, insutype, psn_cert_type, cert_no, name,
            born_on, retired, number, made_at
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        person.psn_no,
        person.province,
        person.insuplc_admdvs,
        person.insutype,
        person.psn_cert_type,
        person.cert_no,
        person.name,
        person.born_on,
        person.retired,
        number,
        now,
        rows=1,
    )


async def write_enrolment(tx: Transaction, change: ChangeEnrolment, now: datetime) -> None:
    await tx.write(
        """
        INSERT INTO enrolment (psn_no, status, since, reason, told_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        change.psn_no,
        change.status,
        change.since,
        change.reason,
        now,
        rows=1,
    )


async def write_registrations(
    tx: Transaction, registrations: Sequence[ChangeRegistration], now: datetime
) -> None:
    if not registrations:
        return
    await tx.write(
        """
        INSERT INTO registration (psn_no, mdtrtarea_admvs, valid_from, valid_to, told_at)
        SELECT psn_no, mdtrtarea_admvs, valid_from, valid_to, $5
        FROM unnest($1::text[], $2::text[], $3::date[], $4::date[])
            AS new (psn_no, mdtrtarea_admvs, valid_from, valid_to)
        """,
        [registration.psn_no for registration in registrations],
        [registration.mdtrtarea_admvs for registration in registrations],
        [registration.valid_from for registration in registrations],
        [registration.valid_to for registration in registrations],
        now,
        rows=len(registrations),
    )


async def write_ec_code(
    tx: Transaction, issue: IssueEcCode, now: datetime, valid_for: timedelta
) -> None:
    await tx.write(
        """
        INSERT INTO ec_code (code, psn_no, issued_at, expires_at) VALUES ($1, $2, $3, $4)
        """,
        issue.code,
        issue.psn_no,
        now,
        now + valid_for,
        rows=1,
    )
