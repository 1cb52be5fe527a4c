"""Relations and the history of their states."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from contracts.vocabulary import RelationState, Role
from kit.transaction import Transaction
from relations.domain.decisions import StateEntered
from relations.domain.relation import Inquiry, Relation


async def relations_by_id(tx: Transaction, relation_ids: Sequence[UUID]) -> list[Relation]:
    rows = await tx.fetch(
        """
        SELECT
            relation_id, sharer_id, beneficiary_id, kind, state, sequence,
            proposed_by, commitment_version, sharer_psn_no, sharer_pool_admdvs,
            beneficiary_pool_admdvs, lapsed_on, ends_at, inquiry_id, kinship, kinship_province,
            kinship_asked_at, kinship_times, proposed_at, changed_at
        FROM relation
        WHERE relation_id = ANY($1::uuid[])
        """,
        relation_ids,
    )
    return [_relation_from(row) for row in rows]


async def open_relations_of_sharers(tx: Transaction, sharer_ids: Sequence[UUID]) -> list[Relation]:
    """What these persons give to others and has not ended."""
    rows = await tx.fetch(
        """
        SELECT
            relation_id, sharer_id, beneficiary_id, kind, state, sequence,
            proposed_by, commitment_version, sharer_psn_no, sharer_pool_admdvs,
            beneficiary_pool_admdvs, lapsed_on, ends_at, inquiry_id, kinship, kinship_province,
            kinship_asked_at, kinship_times, proposed_at, changed_at
        FROM relation
        WHERE sharer_id = ANY($1::uuid[]) AND state NOT IN ('ended', 'declined')
        """,
        sharer_ids,
    )
    return [_relation_from(row) for row in rows]


async def relations_of(
    tx: Transaction, persons: Sequence[UUID], states: Sequence[RelationState]
) -> list[Relation]:
    """What these persons give or are given, where it is in one of these states."""
    rows = await tx.fetch(
        """
        SELECT
            relation_id, sharer_id, beneficiary_id, kind, state, sequence,
            proposed_by, commitment_version, sharer_psn_no, sharer_pool_admdvs,
            beneficiary_pool_admdvs, lapsed_on, ends_at, inquiry_id, kinship, kinship_province,
            kinship_asked_at, kinship_times, proposed_at, changed_at
        FROM relation
        WHERE (sharer_id = ANY($1::uuid[]) OR beneficiary_id = ANY($1::uuid[]))
        AND state = ANY($2::text[])
        """,
        persons,
        states,
    )
    return [_relation_from(row) for row in rows]


async def relatives_of(
    tx: Transaction, persons: Sequence[UUID], states: Sequence[RelationState]
) -> dict[UUID, frozenset[UUID]]:
    """With whom each of these persons has a relation in one of these states."""
    rows = await tx.fetch(
        """
        SELECT person_id, array_agg(relative) AS relatives
        FROM (
            SELECT sharer_id AS person_id, beneficiary_id AS relative
            FROM relation
            WHERE sharer_id = ANY($1::uuid[]) AND state = ANY($2::text[])
            UNION ALL
            SELECT beneficiary_id, sharer_id
            FROM relation
            WHERE beneficiary_id = ANY($1::uuid[]) AND state = ANY($2::text[])
        ) AS related
        GROUP BY person_id
        """,
        persons,
        states,
    )
    return {row["person_id"]: frozenset(row["relatives"]) for row in rows}


async def lapsed_relations(tx: Transaction, most: int) -> list[Relation]:
    """Relations whose time to be carried on by another scheme is over, the first first."""
    rows = await tx.fetch(
        """
        SELECT
            relation_id, sharer_id, beneficiary_id, kind, state, sequence,
            proposed_by, commitment_version, sharer_psn_no, sharer_pool_admdvs,
            beneficiary_pool_admdvs, lapsed_on, ends_at, inquiry_id, kinship, kinship_province,
            kinship_asked_at, kinship_times, proposed_at, changed_at
        FROM relation
        WHERE ends_at <= clock_timestamp()
        ORDER BY ends_at
        LIMIT $1
        """,
        most,
    )
    return [_relation_from(row) for row in rows]


async def relations_by_inquiry(tx: Transaction, inquiry_ids: Sequence[UUID]) -> list[Relation]:
    """Those that these inquiries are about."""
    rows = await tx.fetch(
        """
        SELECT
            relation_id, sharer_id, beneficiary_id, kind, state, sequence,
            proposed_by, commitment_version, sharer_psn_no, sharer_pool_admdvs,
            beneficiary_pool_admdvs, lapsed_on, ends_at, inquiry_id, kinship, kinship_province,
            kinship_asked_at, kinship_times, proposed_at, changed_at
        FROM relation
        WHERE inquiry_id = ANY($1::uuid[])
        """,
        inquiry_ids,
    )
    return [_relation_from(row) for row in rows]


async def unanswered_relations(tx: Transaction, first_seconds: int, most: int) -> list[Relation]:
    """Relations whose province was asked and has kept silent: each time twice as long as before."""
    rows = await tx.fetch(
        """
        SELECT
            relation_id, sharer_id, beneficiary_id, kind, state, sequence,
            proposed_by, commitment_version, sharer_psn_no, sharer_pool_admdvs,
            beneficiary_pool_admdvs, lapsed_on, ends_at, inquiry_id, kinship, kinship_province,
            kinship_asked_at, kinship_times, proposed_at, changed_at
        FROM relation
        WHERE kinship = 'asked' AND state = 'activating'
        AND kinship_asked_at + make_interval(secs => $1 * 2 ^ (kinship_times - 1))
            <= clock_timestamp()
        ORDER BY kinship_asked_at
        LIMIT $2
        """,
        first_seconds,
        most,
    )
    return [_relation_from(row) for row in rows]


async def relations_for_a_clerk(tx: Transaction) -> list[Relation]:
    """Those whose province does not know whether they are relatives, the oldest first."""
    rows = await tx.fetch(
        """
        SELECT
            relation_id, sharer_id, beneficiary_id, kind, state, sequence,
            proposed_by, commitment_version, sharer_psn_no, sharer_pool_admdvs,
            beneficiary_pool_admdvs, lapsed_on, ends_at, inquiry_id, kinship, kinship_province,
            kinship_asked_at, kinship_times, proposed_at, changed_at
        FROM relation
        WHERE kinship = 'unknown' AND state = 'activating'
        ORDER BY kinship_asked_at
        """
    )
    return [_relation_from(row) for row in rows]


async def relations_of_person(tx: Transaction, person_id: UUID) -> list[Relation]:
    """All relations of a person in either role, newest first."""
    rows = await tx.fetch(
        """
        SELECT
            relation_id, sharer_id, beneficiary_id, kind, state, sequence,
            proposed_by, commitment_version, sharer_psn_no, sharer_pool_admdvs,
            beneficiary_pool_admdvs, lapsed_on, ends_at, inquiry_id, kinship, kinship_province,
            kinship_asked_at, kinship_times, proposed_at, changed_at
        FROM relation
        WHERE sharer_id = $1 OR beneficiary_id = $1
        ORDER BY proposed_at DESC, relation_id DESC
        """,
        person_id,
    )
    return [_relation_from(row) for row in rows]


async def persons_of_relations(
    tx: Transaction, relation_ids: Sequence[UUID]
) -> dict[UUID, tuple[UUID, UUID]]:
    """Sharer and beneficiary of each relation: they never change, so no lock is needed."""
    rows = await tx.fetch(
        """
        SELECT relation_id, sharer_id, beneficiary_id
        FROM relation
        WHERE relation_id = ANY($1::uuid[])
        """,
        relation_ids,
    )
    return {row["relation_id"]: (row["sharer_id"], row["beneficiary_id"]) for row in rows}


def _relation_from(row: asyncpg.Record) -> Relation:
    return Relation(
        relation_id=row["relation_id"],
        sharer_id=row["sharer_id"],
        beneficiary_id=row["beneficiary_id"],
        kind=row["kind"],
        state=RelationState(row["state"]),
        proposed_by=Role(row["proposed_by"]),
        commitment_version=row["commitment_version"],
        sharer_psn_no=row["sharer_psn_no"],
        sharer_pool_admdvs=row["sharer_pool_admdvs"],
        beneficiary_pool_admdvs=row["beneficiary_pool_admdvs"],
        lapsed_on=row["lapsed_on"],
        ends_at=row["ends_at"],
        inquiry=_inquiry_from(row),
        proposed_at=row["proposed_at"],
        changed_at=row["changed_at"],
        sequence=row["sequence"],
    )


def _inquiry_from(row: asyncpg.Record) -> Inquiry | None:
    if row["inquiry_id"] is None:
        return None
    return Inquiry(
        inquiry_id=row["inquiry_id"],
        province=row["kinship_province"],
        kinship=row["kinship"],
        asked_at=row["kinship_asked_at"],
        times=row["kinship_times"],
    )


async def insert_relations(tx: Transaction, relations: Sequence[Relation]) -> None:
    if not relations:
        return
    await tx.write(
        """
        INSERT INTO relation (
            relation_id, sharer_id, beneficiary_id, kind, state, sequence,
            proposed_by, commitment_version, sharer_psn_no, sharer_pool_admdvs,
            beneficiary_pool_admdvs, lapsed_on, ends_at, proposed_at, changed_at
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::integer[],
            $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
            $12::date[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[]
        )
        """,
        [relation.relation_id for relation in relations],
        [relation.sharer_id for relation in relations],
        [relation.beneficiary_id for relation in relations],
        [relation.kind for relation in relations],
        [relation.state for relation in relations],
        [relation.sequence for relation in relations],
        [relation.proposed_by for relation in relations],
        [relation.commitment_version for relation in relations],
        [relation.sharer_psn_no for relation in relations],
        [relation.sharer_pool_admdvs for relation in relations],
        [relation.beneficiary_pool_admdvs for relation in relations],
        [relation.lapsed_on for relation in relations],
        [relation.ends_at for relation in relations],
        [relation.proposed_at for relation in relations],
        [relation.changed_at for relation in relations],
        rows=len(relations),
    )


async def update_relations(tx: Transaction, changed: Sequence[tuple[Relation, Relation]]) -> None:
    """Relations in their new states; each must still be in the state that was read."""
    if not changed:
        return
    inquiries = [now.inquiry for _, now in changed]
    await tx.write(
        """
        UPDATE relation SET
            state = now.state, sequence = now.sequence, changed_at = now.changed_at,
            sharer_psn_no = now.sharer_psn_no, sharer_pool_admdvs = now.sharer_pool_admdvs,
            beneficiary_pool_admdvs = now.beneficiary_pool_admdvs,
            lapsed_on = now.lapsed_on, ends_at = now.ends_at,
            inquiry_id = now.inquiry_id, kinship = now.kinship,
            kinship_province = now.kinship_province, kinship_asked_at = now.kinship_asked_at,
            kinship_times = now.kinship_times
        FROM unnest(
            $1::uuid[], $2::integer[], $3::text[], $4::integer[], $5::timestamptz[],
            $6::text[], $7::text[], $8::text[], $9::date[], $10::timestamptz[],
            $11::uuid[], $12::text[], $13::text[], $14::timestamptz[], $15::integer[]
        ) AS now (
            relation_id, sequence_read, state, sequence, changed_at,
            sharer_psn_no, sharer_pool_admdvs, beneficiary_pool_admdvs, lapsed_on, ends_at,
            inquiry_id, kinship, kinship_province, kinship_asked_at, kinship_times
        )
        WHERE relation.relation_id = now.relation_id
        AND relation.sequence = now.sequence_read
        """,
        [before.relation_id for before, _ in changed],
        [before.sequence for before, _ in changed],
        [now.state for _, now in changed],
        [now.sequence for _, now in changed],
        [now.changed_at for _, now in changed],
        [now.sharer_psn_no for _, now in changed],
        [now.sharer_pool_admdvs for _, now in changed],
        [now.beneficiary_pool_admdvs for _, now in changed],
        [now.lapsed_on for _, now in changed],
        [now.ends_at for _, now in changed],
        [each and each.inquiry_id for each in inquiries],
        [each and each.kinship for each in inquiries],
        [each and each.province for each in inquiries],
        [each and each.asked_at for each in inquiries],
        [each.times if each else 0 for each in inquiries],
        rows=len(changed),
    )


async def insert_relation_events(tx: Transaction, entered: Sequence[StateEntered]) -> None:
    if not entered:
        return
    await tx.write(
        """
        INSERT INTO relation_event (
            relation_id, sequence, state, actor_id, guardian_id, happened_at
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::integer[], $3::text[], $4::uuid[], $5::uuid[], $6::timestamptz[]
        )
        """,
        [each.relation.relation_id for each in entered],
        [each.relation.sequence for each in entered],
        [each.relation.state for each in entered],
        [each.actor_id for each in entered],
        [each.guardian_id for each in entered],
        [each.happened_at for each in entered],
        rows=len(entered),
    )
