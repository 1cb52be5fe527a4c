"""Statements for explanations: what became of persons and relations. They only read."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from kit.transaction import Transaction
from relations.domain.history import EnrolmentTold, Entered


async def states_entered(tx: Transaction, ids: Collection[UUID], most: int) -> list[Entered]:
    """The newest states of the relations with these ids, or of these persons."""
    rows = await tx.fetch(
        """
        SELECT relation.relation_id, sharer_id, beneficiary_id, relation_event.state,
            actor_id, guardian_id, happened_at AS at
        FROM relation
        JOIN relation_event USING (relation_id)
        WHERE relation_id = ANY($1::uuid[]) OR sharer_id = ANY($1::uuid[])
            OR beneficiary_id = ANY($1::uuid[])
        ORDER BY happened_at DESC
        LIMIT $2
        """,
        list(ids),
        most,
    )
    return [Entered(**row) for row in rows]


async def enrolments_told(
    tx: Transaction, person_ids: Collection[UUID], most: int
) -> list[EnrolmentTold]:
    """The newest that provinces told of these persons."""
    rows = await tx.fetch(
        """
        SELECT person_id, insutype, pool_admdvs, status, reason, recorded_at AS at
        FROM enrolment_event
        WHERE person_id = ANY($1::uuid[])
        ORDER BY recorded_at DESC
        LIMIT $2
        """,
        list(person_ids),
        most,
    )
    return [EnrolmentTold(**row) for row in rows]
