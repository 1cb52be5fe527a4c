"""Audits: named queries that must return no row, for what is known has to agree with itself."""

from __future__ import annotations

AUDITS: dict[str, str] = {
    "certificate_is_one_persons": """
        SELECT blind_index, count(*) FROM person GROUP BY blind_index HAVING count(*) > 1
    """,
    "number_is_one_persons": """
        SELECT pool_admdvs, psn_no, count(DISTINCT person_id)
        FROM enrolment
        WHERE person_id NOT IN (SELECT merged_id FROM person_merge)
        GROUP BY pool_admdvs, psn_no
        HAVING count(DISTINCT person_id) > 1
    """,
    "enrolment_is_under_a_number_of_the_person": """
        SELECT enrolment.person_id, enrolment.pool_admdvs, enrolment.psn_no
        FROM enrolment
        JOIN psn_number USING (pool_admdvs, psn_no)
        WHERE psn_number.person_id <> enrolment.person_id
        AND kept(psn_number.person_id) <> kept(enrolment.person_id)
    """,
    "merged_person_has_no_open_relation": """
        SELECT merged_id, relation_id
        FROM person_merge
        JOIN relation ON merged_id IN (sharer_id, beneficiary_id)
        WHERE state NOT IN ('ending', 'ended', 'declined')
    """,
    "kept_person_is_insured_as_both_were": """
        SELECT enrolment.person_id, enrolment.insutype, enrolment.psn_no
        FROM enrolment
        JOIN person_merge ON merged_id = person_id
        WHERE NOT EXISTS (
            SELECT FROM enrolment AS taken
            WHERE (taken.person_id, taken.insutype, taken.pool_admdvs, taken.psn_no)
                = (kept_id, enrolment.insutype, enrolment.pool_admdvs, enrolment.psn_no)
        )
    """,
    "merge_leads_to_somebody": """
        WITH RECURSIVE led AS (
            SELECT merged_id FROM person_merge
            WHERE kept_id NOT IN (SELECT merged_id FROM person_merge)
            UNION
            SELECT person_merge.merged_id
            FROM led
            JOIN person_merge ON person_merge.kept_id = led.merged_id
        )
        SELECT merged_id FROM person_merge EXCEPT SELECT merged_id FROM led
    """,
    "person_is_insured_somewhere": """
        SELECT person_id FROM person
        WHERE NOT EXISTS (SELECT FROM enrolment WHERE enrolment.person_id = person.person_id)
    """,
    "number_is_of_an_enrolment": """
        SELECT pool_admdvs, psn_no FROM psn_number
        WHERE NOT EXISTS (
            SELECT FROM enrolment
            WHERE enrolment.pool_admdvs = psn_number.pool_admdvs
            AND enrolment.psn_no = psn_number.psn_no
            AND enrolment.person_id = psn_number.person_id
        )
    """,
    "person_versions_have_no_gap": """
        SELECT person.person_id, person.version, count(told.version), max(told.version)
        FROM person
        LEFT JOIN enrolment_event AS told USING (person_id)
        LEFT JOIN person_merge ON merged_id = person.person_id
        GROUP BY person.person_id, person.version, merged_id
        HAVING count(told.version) <> person.version - count(DISTINCT merged_id)
            OR max(told.version) IS DISTINCT FROM person.version - count(DISTINCT merged_id)
    """,
    "every_version_of_a_person_was_told": """
        SELECT person.person_id, person.version, outbox_sequence.last
        FROM person
        LEFT JOIN outbox_sequence ON outbox_sequence.topic = 'relations.person'
            AND outbox_sequence.key = person.person_id::text
        WHERE outbox_sequence.last IS DISTINCT FROM person.version + (
            SELECT coalesce(sum(times_told), 0) FROM registration
            WHERE registration.person_id = person.person_id
        )
    """,
    "enrolment_is_what_was_told_last": """
        SELECT enrolment.person_id, enrolment.insutype, enrolment.psn_no
        FROM enrolment
        LEFT JOIN LATERAL (
            SELECT status, since, reason
            FROM enrolment_event AS told
            WHERE (told.person_id, told.insutype, told.pool_admdvs, told.psn_no)
                = (enrolment.person_id, enrolment.insutype, enrolment.pool_admdvs,
                    enrolment.psn_no)
            ORDER BY told.version DESC
            LIMIT 1
        ) AS last ON true
        WHERE (enrolment.status, enrolment.since, enrolment.reason)
            IS DISTINCT FROM (last.status, last.since, last.reason)
    """,
    "relation_has_both_persons": """
        SELECT relation_id FROM relation
        WHERE NOT EXISTS (SELECT FROM person WHERE person_id = sharer_id)
            OR NOT EXISTS (SELECT FROM person WHERE person_id = beneficiary_id)
    """,
    "pair_has_one_open_relation": """
        SELECT sharer_id, beneficiary_id, count(*) FROM relation
        WHERE state NOT IN ('ended', 'declined')
        GROUP BY sharer_id, beneficiary_id
        HAVING count(*) > 1
    """,
    "relation_is_in_the_state_it_entered_last": """
        SELECT relation.relation_id, relation.state, relation.sequence, last.state, last.sequence
        FROM relation
        LEFT JOIN LATERAL (
            SELECT state, sequence, happened_at
            FROM relation_event
            WHERE relation_event.relation_id = relation.relation_id
            ORDER BY sequence DESC
            LIMIT 1
        ) AS last ON true
        WHERE (relation.state, relation.sequence, relation.changed_at)
            IS DISTINCT FROM (last.state, last.sequence, last.happened_at)
    """,
    "active_relation_rests_on_insurances_in_force": """
        SELECT relation_id FROM relation
        WHERE state = 'active' AND NOT (
            EXISTS (
                SELECT FROM enrolment
                WHERE person_id = sharer_id AND insutype = '310' AND status = 'active'
                AND (pool_admdvs, psn_no) = (sharer_pool_admdvs, sharer_psn_no)
            ) AND EXISTS (
                SELECT FROM enrolment
                WHERE person_id = beneficiary_id AND insutype IN ('310', '390')
                AND status = 'active' AND pool_admdvs = beneficiary_pool_admdvs
            )
        )
    """,
    "relation_history_has_no_gap": """
        SELECT relation_id, count(*), max(sequence) FROM relation_event
        GROUP BY relation_id
        HAVING count(*) <> max(sequence) OR min(sequence) <> 1
    """,
    "relation_states_follow_each_other": """
        SELECT relation_id, sequence, before, state
        FROM (
            SELECT
                relation_id, sequence, state,
                lag(state) OVER (PARTITION BY relation_id ORDER BY sequence) AS before
            FROM relation_event
        ) AS step
        WHERE (coalesce(before, 'nothing'), state) NOT IN (
            ('nothing', 'proposed'),
            ('proposed', 'activating'), ('proposed', 'declined'),
            ('activating', 'active'), ('activating', 'declined'), ('activating', 'ended'),
            ('active', 'suspended'), ('suspended', 'active'),
            ('activating', 'ending'), ('active', 'ending'), ('suspended', 'ending'),
            ('ending', 'ended')
        )
    """,
    "both_persons_consented": """
        SELECT relation.relation_id
        FROM relation
        JOIN relation_event AS proposed ON proposed.relation_id = relation.relation_id
            AND proposed.state = 'proposed'
        JOIN relation_event AS confirmed ON confirmed.relation_id = relation.relation_id
            AND confirmed.state = 'activating'
        WHERE proposed.actor_id IS NULL OR confirmed.actor_id IS NULL
            OR proposed.actor_id = confirmed.actor_id
            OR proposed.actor_id NOT IN (relation.sharer_id, relation.beneficiary_id)
            OR confirmed.actor_id NOT IN (relation.sharer_id, relation.beneficiary_id)
    """,
    "no_relation_stays_half_made": """
        SELECT relation_id FROM relation
        WHERE state IN ('activating', 'ending')
        AND (state = 'ending' OR kinship IS NULL OR kinship NOT IN ('asked', 'unknown'))
        AND greatest(changed_at, kinship_asked_at) < clock_timestamp() - interval '1 hour'
    """,
    "both_provinces_were_told_what_became_of_a_relation": """
        SELECT relation.relation_id, entered.lasting, provinces.count, told.count
        FROM relation
        JOIN LATERAL (
            SELECT count(*) AS lasting FROM relation_event
            WHERE relation_event.relation_id = relation.relation_id
            AND relation_event.state IN ('active', 'suspended', 'ended')
        ) AS entered ON true
        JOIN LATERAL (
            SELECT count(DISTINCT province) FROM psn_number
            WHERE (pool_admdvs, psn_no) = (sharer_pool_admdvs, sharer_psn_no)
            OR (person_id, pool_admdvs) = (beneficiary_id, beneficiary_pool_admdvs)
        ) AS provinces ON true
        LEFT JOIN (
            SELECT key, count(*) FROM outbox
            WHERE type = 'relation.changed.v1'
            GROUP BY key
        ) AS told ON told.key = relation.relation_id::text
        WHERE coalesce(told.count, 0) <> entered.lasting * provinces.count
    """,
    "every_consented_relation_was_told": """
        SELECT relation.beneficiary_id, count(*), max(outbox_sequence.last)
        FROM relation
        JOIN relation_event USING (relation_id)
        LEFT JOIN outbox_sequence ON outbox_sequence.topic = 'relations.relation'
            AND outbox_sequence.key = relation.beneficiary_id::text
        WHERE relation_event.state = 'activating' AND coalesce(relation.kinship, 'yes') = 'yes'
        GROUP BY relation.beneficiary_id
        HAVING count(*) > coalesce(max(outbox_sequence.last), 0)
    """,
}
