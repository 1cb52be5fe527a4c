"""Audits of relations: each is seen to find what was planted for it."""

from __future__ import annotations

import asyncpg
import pytest

from relations.store.audits import AUDITS
from tests.conftest import MigratedDatabase
from tests.support.relations import ALAR, SHENZHEN, registry_on, somebody

PLANTED: dict[str, str] = {
    "certificate_is_one_persons": """
        ALTER TABLE person DROP CONSTRAINT person_has_a_certificate_of_their_own;
        UPDATE person SET blind_index = (SELECT min(blind_index) FROM person)
    """,
    "number_is_one_persons": """
        INSERT INTO enrolment
        SELECT other.person_id, '340', one.pool_admdvs, one.psn_no, 'active', one.since, one.told_at
        FROM enrolment AS one
        JOIN person AS other ON other.person_id <> one.person_id
    """,
    "enrolment_is_under_a_number_of_the_person": """
        UPDATE psn_number SET person_id = other.person_id
        FROM person AS other
        WHERE other.person_id <> psn_number.person_id
    """,
    "merged_person_has_no_open_relation": """
        INSERT INTO person_merge SELECT sharer_id, beneficiary_id, now() FROM relation
    """,
    "kept_person_is_insured_as_both_were": """
        INSERT INTO person_merge SELECT sharer_id, beneficiary_id, now() FROM relation
    """,
    "merge_leads_to_somebody": """
        INSERT INTO person_merge
        SELECT sharer_id, beneficiary_id, now() FROM relation
        UNION ALL
        SELECT beneficiary_id, sharer_id, now() FROM relation
    """,
    "person_is_insured_somewhere": "DELETE FROM enrolment",
    "number_is_of_an_enrolment": "DELETE FROM enrolment",
    "person_versions_have_no_gap": "UPDATE person SET version = version + 1",
    "every_version_of_a_person_was_told": "UPDATE outbox_sequence SET last = last + 1",
    "enrolment_is_what_was_told_last": "UPDATE enrolment SET status = 'suspended'",
    "relation_has_both_persons": """
        ALTER TABLE relation DROP CONSTRAINT relation_sharer_id_fkey;
        UPDATE relation SET sharer_id = gen_random_uuid()
    """,
    "pair_has_one_open_relation": """
        DROP INDEX relation_is_open_once;
        INSERT INTO relation
        SELECT
            gen_random_uuid(), sharer_id, beneficiary_id, kind, state, sequence,
            proposed_by, commitment_version, sharer_psn_no, sharer_pool_admdvs,
            beneficiary_pool_admdvs, lapsed_on, ends_at, inquiry_id, kinship, kinship_province,
            kinship_asked_at, kinship_times, proposed_at, changed_at
        FROM relation
    """,
    "relation_is_in_the_state_it_entered_last": "UPDATE relation SET state = 'active'",
    "active_relation_rests_on_insurances_in_force": """
        UPDATE relation SET state = 'active', beneficiary_pool_admdvs = '110000'
    """,
    "relation_history_has_no_gap": """
        INSERT INTO relation_event (relation_id, sequence, state, happened_at)
        SELECT relation_id, 4, 'active', now() FROM relation
    """,
    "relation_states_follow_each_other": """
        INSERT INTO relation_event (relation_id, sequence, state, happened_at)
        SELECT relation_id, 3, 'suspended', now() FROM relation
    """,
    "both_persons_consented": """
        UPDATE relation SET beneficiary_id = other.person_id
        FROM person AS other
        WHERE other.person_id NOT IN (sharer_id, beneficiary_id)
    """,
    "no_relation_stays_half_made": """
        UPDATE relation SET changed_at = changed_at - interval '2 hours'
    """,
    "both_provinces_were_told_what_became_of_a_relation": """
        INSERT INTO relation_event (relation_id, sequence, state, happened_at)
        SELECT relation_id, 3, 'ended', now() FROM relation
    """,
    "every_consented_relation_was_told": """
        DELETE FROM outbox_sequence WHERE topic = 'relations.relation'
    """,
}


async def test_each_audit_finds_what_was_planted_for_it(
    migrated_database: MigratedDatabase,
) -> None:
    assert PLANTED.keys() == AUDITS.keys()
    async with registry_on(migrated_database("relations")) as registry:
        child = await registry.known(somebody(SHENZHEN, "310"))
        parent = await registry.known(somebody(ALAR, "390"))
        await registry.known(somebody(ALAR, "390"))
        proposed = await registry.propose(child, parent)
        await registry.confirm(parent, proposed.json["relation_id"])
        await registry.audited()
        async with registry.pool.acquire() as connection:
            for name, plant in PLANTED.items():
                planting = connection.transaction()
                await planting.start()
                await connection.execute(plant)
                assert await connection.fetch(AUDITS[name]) != [], name
                await planting.rollback()
        await registry.audited()


async def test_some_rows_cannot_exist(migrated_database: MigratedDatabase) -> None:
    statements = (
        "UPDATE relation SET beneficiary_id = sharer_id",
        "UPDATE relation SET state = 'paused'",
        "UPDATE relation SET proposed_by = 'uncle'",
        "UPDATE enrolment SET insutype = '999'",
        "UPDATE person SET blind_index = '\\x00'",
        "UPDATE psn_number SET person_id = gen_random_uuid()",
        "UPDATE enrolment SET psn_no = 'nobody'",
        "INSERT INTO person_merge SELECT sharer_id, sharer_id, now() FROM relation",
    )
    async with registry_on(migrated_database("relations")) as registry:
        child = await registry.known(somebody(SHENZHEN, "310"))
        parent = await registry.known(somebody(ALAR, "390"))
        await registry.propose(child, parent)
        for statement in statements:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await registry.pool.execute(statement)
        await registry.audited()
