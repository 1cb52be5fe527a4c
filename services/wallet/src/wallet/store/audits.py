"""Audits: named queries that must return no row, for the books have to agree with each other."""

from __future__ import annotations

AUDITS: dict[str, str] = {
    "quota_equals_its_entries": """
        SELECT quota.quota_id
        FROM quota
        LEFT JOIN LATERAL (
            SELECT
                coalesce(sum(amount) FILTER (WHERE source = 'province'), 0) AS granted,
                coalesce(sum(amount) FILTER (WHERE target = 'available'), 0)
                    - coalesce(sum(amount) FILTER (WHERE source = 'available'), 0) AS available,
                coalesce(sum(amount) FILTER (WHERE target = 'held'), 0)
                    - coalesce(sum(amount) FILTER (WHERE source = 'held'), 0) AS held,
                coalesce(sum(amount) FILTER (WHERE target = 'spent'), 0)
                    - coalesce(sum(amount) FILTER (WHERE source = 'spent'), 0) AS spent,
                coalesce(sum(amount) FILTER (WHERE target = 'restoring'), 0)
                    - coalesce(sum(amount) FILTER (WHERE source = 'restoring'), 0) AS restoring,
                coalesce(sum(amount) FILTER (WHERE target = 'returned'), 0) AS returned
            FROM entry
            WHERE entry.quota_id = quota.quota_id
        ) AS summed ON true
        WHERE (quota.granted, quota.available, quota.held, quota.spent, quota.restoring,
                quota.returned)
            IS DISTINCT FROM (summed.granted, summed.available, summed.held, summed.spent,
                summed.restoring, summed.returned)
    """,
    "entry_belongs_to_a_quota": """
        SELECT entry_id FROM entry
        WHERE NOT EXISTS (SELECT FROM quota WHERE quota.quota_id = entry.quota_id)
    """,
    "payment_equals_its_allocations": """
        SELECT payment.payment_id
        FROM payment
        LEFT JOIN allocation USING (payment_id)
        GROUP BY payment.payment_id
        HAVING payment.amount IS DISTINCT FROM sum(allocation.amount)
    """,
    "payment_equals_its_entries": """
        SELECT payment.payment_id
        FROM payment
        LEFT JOIN (
            SELECT
                payment_id,
                coalesce(sum(amount) FILTER (WHERE target = 'spent'), 0)
                    - coalesce(sum(amount) FILTER (WHERE source = 'spent'), 0) AS spent,
                coalesce(sum(amount) FILTER (WHERE target = 'held'), 0)
                    - coalesce(sum(amount) FILTER (WHERE source = 'held'), 0) AS held
            FROM entry
            GROUP BY payment_id
        ) AS summed USING (payment_id)
        WHERE (payment.captured - payment.refunded,
                CASE payment.state WHEN 'held' THEN payment.amount ELSE 0 END)
            IS DISTINCT FROM (summed.spent, summed.held)
    """,
    "held_money_belongs_to_open_holds": """
        SELECT quota.quota_id
        FROM quota
        LEFT JOIN (
            SELECT allocation.quota_id, sum(allocation.amount) AS held
            FROM allocation
            JOIN payment ON payment.payment_id = allocation.payment_id AND payment.state = 'held'
            GROUP BY allocation.quota_id
        ) AS summed USING (quota_id)
        WHERE quota.held <> coalesce(summed.held, 0)
    """,
    "no_hold_outlives_its_deadline": """
        SELECT payment_id FROM payment
        WHERE state = 'held' AND expires_at < clock_timestamp() - interval '5 minutes'
    """,
    "a_hold_without_a_deadline_awaits_the_fund_of_a_premium": """
        SELECT payment_id FROM payment
        LEFT JOIN premium USING (payment_id)
        WHERE payment.state = 'held' AND payment.expires_at IS NULL
        AND premium.state IS DISTINCT FROM 'asked'
    """,
    "premium_is_as_its_payment": """
        SELECT payment_id, payment.state AS paid, premium.state AS said
        FROM (SELECT * FROM payment WHERE purpose IN ('premium_390', 'premium_410')) AS payment
        FULL JOIN premium USING (payment_id)
        WHERE (payment.person_id, payment.purpose)
            IS DISTINCT FROM (premium.person_id, 'premium_' || premium.insutype)
        OR CASE premium.state
            WHEN 'asked' THEN payment.state <> 'held'
            WHEN 'accepted' THEN payment.state <> 'captured'
            WHEN 'refused' THEN payment.state <> 'released'
            ELSE payment.state NOT IN ('refunded', 'released')
        END
    """,
    "allocation_belongs_to_a_payment": """
        SELECT payment_id, ordinal FROM allocation
        WHERE NOT EXISTS (SELECT FROM payment WHERE payment.payment_id = allocation.payment_id)
    """,
    "every_spent_fen_was_ordered_from_the_province": """
        SELECT payment_id, quota_id
        FROM (
            SELECT payment_id, quota_id, sum(amount) AS amount
            FROM entry
            WHERE target = 'spent'
            GROUP BY payment_id, quota_id
        ) AS spent
        FULL JOIN (
            SELECT payment_id, quota_id, sum(amount) AS amount
            FROM account_order
            WHERE kind = 'debit'
            GROUP BY payment_id, quota_id
        ) AS ordered USING (payment_id, quota_id)
        WHERE spent.amount IS DISTINCT FROM ordered.amount
    """,
    "every_fen_given_back_was_ordered_from_the_province": """
        SELECT payment_id, quota_id
        FROM (
            SELECT payment_id, quota_id, sum(amount) AS amount
            FROM entry
            WHERE source = 'spent'
            GROUP BY payment_id, quota_id
        ) AS given
        FULL JOIN (
            SELECT payment_id, quota_id, sum(amount) AS amount
            FROM account_order
            WHERE kind = 'credit'
            GROUP BY payment_id, quota_id
        ) AS ordered USING (payment_id, quota_id)
        WHERE given.amount IS DISTINCT FROM ordered.amount
    """,
    "restoring_money_awaits_a_province": """
        SELECT quota.quota_id
        FROM quota
        LEFT JOIN (
            SELECT quota_id, sum(amount) AS amount
            FROM account_order
            WHERE kind = 'credit' AND state = 'sent'
            GROUP BY quota_id
        ) AS awaited USING (quota_id)
        WHERE quota.restoring <> coalesce(awaited.amount, 0)
    """,
    "payment_equals_its_refunds": """
        SELECT payment.payment_id
        FROM payment
        LEFT JOIN (
            SELECT
                payment_id,
                sum(CASE kind WHEN 'retake' THEN -amount ELSE amount END) AS amount
            FROM refund
            GROUP BY payment_id
        ) AS summed USING (payment_id)
        WHERE payment.refunded <> coalesce(summed.amount, 0)
    """,
    "refund_belongs_to_a_payment": """
        SELECT refund_id FROM refund
        WHERE NOT EXISTS (SELECT FROM payment WHERE payment.payment_id = refund.payment_id)
        OR period < to_char(at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM')
    """,
    "a_line_falls_into_the_month_of_its_cause": """
        SELECT entry_id
        FROM entry
        LEFT JOIN payment ON payment.payment_id = entry.payment_id
        LEFT JOIN refund ON refund.refund_id = entry.refund_id
        WHERE entry.period IS NOT NULL
        AND (
            entry.period IS DISTINCT FROM
                CASE WHEN entry.refund_id IS NULL THEN payment.period ELSE refund.period END
            OR (entry.refund_id IS NOT NULL
                AND refund.payment_id IS DISTINCT FROM entry.payment_id)
        )
    """,
    "a_line_is_there_once": """
        SELECT coalesce(refund_id, payment_id) AS cause_id, quota_id
        FROM entry
        WHERE period IS NOT NULL
        GROUP BY coalesce(refund_id, payment_id), quota_id
        HAVING count(*) > 1
    """,
    "refund_equals_its_entries": """
        SELECT refund_id
        FROM (
            SELECT refund_id, CASE kind WHEN 'retake' THEN amount ELSE -amount END AS amount
            FROM refund
        ) AS wanted
        FULL JOIN (
            SELECT refund_id, sum(CASE target WHEN 'spent' THEN amount ELSE -amount END) AS amount
            FROM entry
            WHERE refund_id IS NOT NULL
            GROUP BY refund_id
        ) AS summed USING (refund_id)
        WHERE wanted.amount IS DISTINCT FROM summed.amount
    """,
    "no_line_of_a_month_is_later_than_its_cut": """
        SELECT entry_id FROM entry
        JOIN period_cut USING (period)
        WHERE entry.entry_id > period_cut.last_entry
    """,
    "months_were_cut_one_after_another": """
        SELECT last_cut, months.*
        FROM clearing_clock
        CROSS JOIN (
            SELECT
                max(period) AS last,
                count(*) AS cut,
                1 + extract(
                    year FROM age(to_date(max(period), 'YYYY-MM'), to_date(min(period), 'YYYY-MM'))
                ) * 12 + extract(
                    month FROM age(to_date(max(period), 'YYYY-MM'), to_date(min(period), 'YYYY-MM'))
                ) AS wanted
            FROM period_cut
        ) AS months
        WHERE months.cut > 0 AND (months.last <> last_cut OR months.cut <> months.wanted)
    """,
    "a_month_that_was_cut_is_told": """
        SELECT period, told_at
        FROM period_cut
        WHERE (told_at IS NOT NULL) <> EXISTS (
            SELECT FROM outbox WHERE outbox.topic = 'wallet.period' AND outbox.key = period
        )
        OR (told_at IS NULL AND cut_at < clock_timestamp() - interval '30 minutes')
    """,
    "what_was_told_of_a_month_equals_its_lines": """
        WITH counted AS (
            SELECT
                entry.period, allocation.sharer_admdvs AS debtor, payment.purpose AS kind,
                coalesce(payment.mdtrtarea_admvs, payment.insuplc_admdvs) AS creditor,
                count(*) AS lines,
                sum(line.amount) AS owed,
                mod(
                    sum(
                        ('x' || left(encode(sha256(line.text::bytea), 'hex'), 16))::bit(64)::bigint
                    ),
                    18446744073709551616
                ) AS hash
            FROM entry
            JOIN period_cut ON period_cut.period = entry.period AND period_cut.told_at IS NOT NULL
            JOIN payment ON payment.payment_id = entry.payment_id
            JOIN allocation ON allocation.payment_id = entry.payment_id
                AND allocation.quota_id = entry.quota_id
            CROSS JOIN LATERAL (
                SELECT
                    CASE entry.source WHEN 'spent' THEN -entry.amount ELSE entry.amount END
                        AS amount,
                    concat_ws(
                        '|', coalesce(entry.refund_id, entry.payment_id), entry.quota_id,
                        CASE entry.source WHEN 'spent' THEN -entry.amount ELSE entry.amount END
                    ) AS text
            ) AS line
            GROUP BY 1, 2, 3, 4
        ),
        told AS (
            SELECT
                outbox.key AS period, line ->> 'debtor' AS debtor,
                line ->> 'creditor' AS creditor, line ->> 'kind' AS kind,
                (line ->> 'count')::bigint AS lines, (line ->> 'sum_fen')::bigint AS owed,
                ('x' || (line ->> 'hash'))::bit(64)::bigint AS hash
            FROM outbox
            CROSS JOIN jsonb_array_elements(convert_from(data, 'UTF8')::jsonb -> 'lines') AS line
            WHERE outbox.topic = 'wallet.period'
        )
        SELECT period, debtor, creditor, kind
        FROM counted
        FULL JOIN told USING (period, debtor, creditor, kind)
        WHERE (counted.lines, counted.owed) IS DISTINCT FROM (told.lines, told.owed)
        OR mod(counted.hash - told.hash, 18446744073709551616) IS DISTINCT FROM 0
    """,
    "freezing_quota_awaits_exactly_one_answer": """
        SELECT quota.quota_id
        FROM quota
        LEFT JOIN account_order ON account_order.quota_id = quota.quota_id
            AND account_order.kind = 'freeze' AND account_order.state = 'sent'
        GROUP BY quota.quota_id, quota.state
        HAVING count(account_order.order_id) <> CASE quota.state WHEN 'freezing' THEN 1 ELSE 0 END
            AND (quota.state <> 'ended' OR count(account_order.order_id) > 1)
    """,
    "no_order_is_forgotten": """
        SELECT order_id FROM account_order
        WHERE state = 'sent' AND parked_at IS NULL
        AND asked_at < clock_timestamp() - interval '25 hours'
    """,
    "confirmed_freezes_equal_what_was_granted": """
        SELECT quota.quota_id
        FROM quota
        LEFT JOIN account_order ON account_order.quota_id = quota.quota_id
            AND account_order.kind = 'freeze' AND account_order.state = 'confirmed'
        GROUP BY quota.quota_id, quota.granted
        HAVING quota.granted IS DISTINCT FROM coalesce(sum(account_order.amount), 0)
    """,
    "no_payment_falls_into_a_month_that_was_cut_before_it": """
        SELECT payment_id FROM payment
        WHERE period < to_char(
            coalesce(captured_at, held_at) AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM'
        )
    """,
}
