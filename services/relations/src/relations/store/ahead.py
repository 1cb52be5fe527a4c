"""Enrolments that were told for a day to come, kept until it is there."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from contracts.vocabulary import Insutype
from kit.transaction import Transaction
from relations.domain.commands import RecordEnrolment
from relations.domain.people import Identity


async def keep_for_their_day(tx: Transaction, ahead: Sequence[RecordEnrolment]) -> None:
    """Keep these; of two told for one day the one told later stays."""
    for each in ahead:
        await _keep(tx, each)


async def _keep(tx: Transaction, ahead: RecordEnrolment) -> None:
    identity = ahead.identity
    await tx.fetch(
        """
        INSERT INTO enrolment_ahead AS known (
            pool_admdvs, psn_no, insutype, since, province, status, told_at, reason,
            psn_cert_type, blind_index, name_index, key_id, nonce, ciphertext, born_on
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (pool_admdvs, psn_no, insutype, since) DO UPDATE SET
            province = EXCLUDED.province, status = EXCLUDED.status, told_at = EXCLUDED.told_at,
            reason = EXCLUDED.reason, psn_cert_type = EXCLUDED.psn_cert_type,
            blind_index = EXCLUDED.blind_index, name_index = EXCLUDED.name_index,
            key_id = EXCLUDED.key_id, nonce = EXCLUDED.nonce,
            ciphertext = EXCLUDED.ciphertext, born_on = EXCLUDED.born_on
        WHERE known.told_at < EXCLUDED.told_at AND known.outcome IS NULL
        """,
        *ahead.name,
        ahead.province,
        ahead.status,
        ahead.told_at,
        ahead.reason,
        identity and identity.psn_cert_type,
        identity and identity.blind_index,
        identity and identity.name_index,
        identity and identity.key_id,
        identity and identity.nonce,
        identity and identity.ciphertext,
        identity and identity.born_on,
    )


async def enrolments_due(tx: Transaction, most: int) -> list[RecordEnrolment]:
    """Those whose Beijing day has come, in the order of their days."""
    rows = await tx.fetch(
        """
        SELECT
            pool_admdvs, psn_no, insutype, since, province, status, told_at, reason,
            psn_cert_type, blind_index, name_index, key_id, nonce, ciphertext, born_on
        FROM enrolment_ahead
        WHERE outcome IS NULL
        AND since <= (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date
        ORDER BY since, told_at
        LIMIT $1
        """,
        most,
    )
    return [_command_from(row) for row in rows]


def _command_from(row: asyncpg.Record) -> RecordEnrolment:
    identity = None
    if row["blind_index"] is not None:
        identity = Identity(
            psn_cert_type=row["psn_cert_type"],
            blind_index=row["blind_index"],
            name_index=row["name_index"],
            key_id=row["key_id"],
            nonce=row["nonce"],
            ciphertext=row["ciphertext"],
            born_on=row["born_on"],
        )
    return RecordEnrolment(
        province=row["province"],
        pool_admdvs=row["pool_admdvs"],
        psn_no=row["psn_no"],
        insutype=Insutype(row["insutype"]),
        status=row["status"],
        since=row["since"],
        told_at=row["told_at"],
        reason=row["reason"],
        identity=identity,
        from_ahead=True,
    )


async def note_their_day(tx: Transaction, come: Sequence[tuple[RecordEnrolment, str]]) -> None:
    """Note what became of enrolments on their day."""
    if not come:
        return
    names = [command.name for command, _ in come]
    await tx.write(
        """
        UPDATE enrolment_ahead AS known SET outcome = come.outcome
        FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::text[])
            AS come (pool_admdvs, psn_no, insutype, since, outcome)
        WHERE known.pool_admdvs = come.pool_admdvs AND known.psn_no = come.psn_no
        AND known.insutype = come.insutype AND known.since = come.since
        """,
        [name[0] for name in names],
        [name[1] for name in names],
        [name[2] for name in names],
        [name[3] for name in names],
        [outcome for _, outcome in come],
        rows=len(come),
    )
