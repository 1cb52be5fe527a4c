"""Audits: named queries that must return no row."""

from __future__ import annotations

AUDITS: dict[str, str] = {
    "institution_has_one_or_two_live_keys": """
        SELECT institution.code
        FROM institution
        LEFT JOIN institution_key AS held
            ON held.institution = institution.code AND held.valid_to IS NULL
        GROUP BY institution.code
        HAVING count(held.key_id) NOT BETWEEN 1 AND 2
    """,
    "session_belongs_to_the_institution_of_its_long_key": """
        SELECT session.key_id
        FROM session
        JOIN institution_key AS held ON held.key_id = session.begun_by
        WHERE held.institution <> session.institution
    """,
    "listed_payment_stands_under_its_beijing_day": """
        SELECT payment_id FROM listed_payment
        WHERE business_date <> (held_at AT TIME ZONE 'Asia/Shanghai')::date
    """,
    "listed_payment_is_on_a_timeline": """
        SELECT payment_id FROM listed_payment
        WHERE NOT EXISTS (
            SELECT FROM happening WHERE happening.payment_id = listed_payment.payment_id
        )
    """,
    "happening_of_a_quota_is_its_two_persons": """
        SELECT happening.event_id
        FROM happening
        LEFT JOIN known_quota AS quota USING (quota_id)
        WHERE happening.quota_id IS NOT NULL
            AND happening.person_id IS DISTINCT FROM quota.sharer_id
            AND happening.person_id IS DISTINCT FROM quota.beneficiary_id
    """,
    "shared_amount_is_of_a_quota_that_was_told_of_since": """
        SELECT share.quota_id
        FROM shared_amount AS share
        WHERE share.on_day < (now() AT TIME ZONE 'Asia/Shanghai')::date - 1
            AND NOT EXISTS (SELECT FROM known_quota WHERE quota_id = share.quota_id)
    """,
    "receipt_belongs_to_an_institution_or_a_clerk": """
        SELECT caller, scope, key
        FROM receipt
        WHERE caller !~ '^clerk:.' AND NOT EXISTS (
            SELECT FROM institution WHERE receipt.caller = 'institution:' || institution.code
        )
    """,
}
