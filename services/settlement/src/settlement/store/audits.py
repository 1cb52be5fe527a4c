"""Audits: named queries that must return no row, for what is owed has to agree with itself.

Line by line only months that are not closed are asked: their lines, and theirs alone, may grow.
"""

from __future__ import annotations

AUDITS: dict[str, str] = {
    "line_falls_into_no_month_before_it_happened": """
        SELECT cause_id FROM line
        WHERE period < to_char(happened_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM')
    """,
    "opposite_line_names_its_original": """
        SELECT line.cause_id, line.quota_id
        FROM line
        LEFT JOIN line AS original
            ON original.cause_id = line.payment_id AND original.quota_id = line.quota_id
        WHERE line.cause_id <> line.payment_id
        AND line.period NOT IN (SELECT closed.period FROM period AS closed WHERE state = 'closed')
        AND (original.period, original.debtor, original.creditor, original.kind,
                original.institution)
            IS DISTINCT FROM (line.captured_period, line.debtor, line.creditor, line.kind,
                line.institution)
    """,
    "total_equals_its_lines": """
        SELECT period, debtor, creditor, kind, institution, cell
        FROM total
        FULL JOIN (
            SELECT
                period, debtor, creditor, kind, institution, cell, count(*) AS lines,
                sum(amount) AS amount,
                mod(sum(line_hash(cause_id, quota_id, amount)), 18446744073709551616) AS hash,
                count(*) FILTER (WHERE captured_period < period) AS adjusting_lines,
                coalesce(sum(amount) FILTER (WHERE captured_period < period), 0)
                    AS adjusting_amount
            FROM line
            WHERE period NOT IN (SELECT closed.period FROM period AS closed WHERE state = 'closed')
            GROUP BY period, debtor, creditor, kind, institution, cell
        ) AS added USING (period, debtor, creditor, kind, institution, cell)
        WHERE period NOT IN (SELECT closed.period FROM period AS closed WHERE state = 'closed')
        AND (total.lines, total.amount, total.hash, total.adjusting_lines,
                total.adjusting_amount)
            IS DISTINCT FROM (added.lines, added.amount, added.hash, added.adjusting_lines,
                added.adjusting_amount)
    """,
    "pool_lies_in_one_province_all_month": """
        SELECT period, pool
        FROM (
            SELECT period, debtor AS pool, debtor_province AS province FROM total
            UNION ALL SELECT period, creditor, creditor_province FROM total
        ) AS lying
        GROUP BY period, pool
        HAVING min(province) <> max(province)
    """,
    "received_equals_the_totals": """
        SELECT period, cell
        FROM received
        FULL JOIN (
            SELECT
                period, cell, sum(lines) AS lines, sum(amount) AS amount,
                mod(sum(hash), 18446744073709551616) AS hash
            FROM total
            GROUP BY period, cell
        ) AS added USING (period, cell)
        WHERE (received.lines, received.amount, received.hash)
            IS DISTINCT FROM (added.lines, added.amount, added.hash)
    """,
    "cell_cut_equals_its_totals": """
        SELECT period, cell
        FROM cell_cut
        FULL JOIN (
            SELECT
                period, cell, sum(lines) AS lines, sum(amount) AS amount,
                mod(sum(hash), 18446744073709551616) AS hash
            FROM cell_total
            GROUP BY period, cell
        ) AS added USING (period, cell)
        WHERE (cell_cut.lines, cell_cut.amount, cell_cut.hash)
            IS DISTINCT FROM (coalesce(added.lines, 0), coalesce(added.amount, 0),
                coalesce(added.hash, 0))
    """,
    "balanced_month_equals_what_the_wallet_told": """
        SELECT period, cell, debtor, creditor, kind
        FROM (
            SELECT
                period, cell, debtor, creditor, kind, sum(lines) AS lines,
                sum(amount) AS amount, mod(sum(hash), 18446744073709551616) AS hash
            FROM total
            GROUP BY period, cell, debtor, creditor, kind
        ) AS ours
        FULL JOIN cell_total AS theirs USING (period, cell, debtor, creditor, kind)
        JOIN period USING (period)
        WHERE period.state <> 'cut'
        AND (ours.lines, ours.amount, ours.hash)
            IS DISTINCT FROM (theirs.lines, theirs.amount, theirs.hash)
    """,
    "balanced_month_has_heard_all_cells": """
        SELECT period FROM period
        WHERE state <> 'cut'
        AND cells <> (SELECT count(*) FROM cell_cut WHERE cell_cut.period = period.period)
    """,
    "issued_month_owes_what_its_lines_add_up_to": """
        SELECT period, debtor, creditor
        FROM (
            SELECT
                period, debtor_province AS debtor, creditor_province AS creditor,
                sum(amount) AS amount
            FROM total
            JOIN period USING (period)
            WHERE issued_at IS NOT NULL AND debtor_province <> creditor_province
            GROUP BY period, debtor_province, creditor_province
            HAVING sum(amount) <> 0
        ) AS added
        FULL JOIN owed USING (period, debtor, creditor)
        WHERE owed.amount IS DISTINCT FROM added.amount
    """,
    "issued_month_was_sent_to_whom_it_concerns": """
        SELECT period, province
        FROM (
            SELECT DISTINCT period, province
            FROM total
            JOIN period USING (period)
            CROSS JOIN LATERAL (VALUES (debtor_province), (creditor_province)) AS of (province)
            WHERE issued_at IS NOT NULL
        ) AS concerned
        FULL JOIN recipient USING (period, province)
        WHERE recipient.version IS NULL OR concerned.province IS NULL
    """,
    "confirmed_month_was_confirmed_by_all": """
        SELECT recipient.period, recipient.province
        FROM recipient
        JOIN period USING (period)
        LEFT JOIN answer ON answer.period = recipient.period
            AND answer.version = recipient.version AND answer.province = recipient.province
            AND answer.answer = 'confirmed'
        WHERE period.confirmed_at IS NOT NULL AND answer.answer_id IS NULL
        AND EXISTS (
            SELECT FROM total
            WHERE total.period = recipient.period AND debtor_province <> creditor_province
        )
    """,
    "nobody_paid_more_than_was_owed_nor_less_of_a_paid_month": """
        SELECT period, payer, payee
        FROM (
            SELECT period, payer, payee, sum(amount) AS amount
            FROM transfer
            WHERE tier = 'interprovince'
            GROUP BY period, payer, payee
        ) AS paid
        FULL JOIN (
            SELECT
                period, CASE WHEN amount > 0 THEN debtor ELSE creditor END AS payer,
                CASE WHEN amount > 0 THEN creditor ELSE debtor END AS payee,
                sum(abs(amount)) AS amount
            FROM owed
            GROUP BY 1, 2, 3
        ) AS due USING (period, payer, payee)
        JOIN period USING (period)
        WHERE coalesce(paid.amount, 0) > coalesce(due.amount, 0)
        OR (period.paid_at IS NOT NULL AND paid.amount IS DISTINCT FROM due.amount)
    """,
    "prefund_is_used_by_lines_less_transfers": """
        SELECT debtor, creditor
        FROM prefund
        FULL JOIN (
            SELECT
                debtor_province AS debtor, creditor_province AS creditor, sum(amount) AS amount
            FROM total
            WHERE debtor_province <> creditor_province
            GROUP BY debtor_province, creditor_province
        ) AS lines USING (debtor, creditor)
        LEFT JOIN (
            SELECT
                debtor, creditor,
                sum(
                    CASE WHEN amount > 0 THEN 1 ELSE -1 END
                    * least(greatest(paid - ahead, 0), abs(amount))
                ) AS amount
            FROM (
                SELECT
                    owed.*,
                    CASE WHEN amount > 0 THEN 0 ELSE coalesce((
                        SELECT first.amount FROM owed AS first
                        WHERE first.period = owed.period AND first.debtor = owed.creditor
                        AND first.creditor = owed.debtor AND first.amount > 0
                    ), 0) END AS ahead,
                    coalesce((
                        SELECT sum(transfer.amount) FROM transfer
                        WHERE transfer.period = owed.period AND transfer.tier = 'interprovince'
                        AND (transfer.payer, transfer.payee) = (
                            CASE WHEN owed.amount > 0 THEN owed.debtor ELSE owed.creditor END,
                            CASE WHEN owed.amount > 0 THEN owed.creditor ELSE owed.debtor END
                        )
                    ), 0) AS paid
                FROM owed
            ) AS due
            GROUP BY debtor, creditor
        ) AS freed USING (debtor, creditor)
        WHERE coalesce(prefund.used, 0)
            <> coalesce(lines.amount, 0) - coalesce(freed.amount, 0)
    """,
    "prefund_is_what_was_deposited": """
        SELECT debtor, creditor
        FROM prefund
        FULL JOIN (
            SELECT debtor, creditor, sum(amount) AS amount FROM top_up GROUP BY debtor, creditor
        ) AS deposited USING (debtor, creditor)
        WHERE prefund.deposited IS DISTINCT FROM coalesce(deposited.amount, 0)
    """,
    "a_year_is_cleared_by_the_end_of_the_next_first_quarter": """
        SELECT period
        FROM (SELECT period FROM received UNION SELECT period FROM period) AS begun
        LEFT JOIN period USING (period)
        WHERE period.state IS DISTINCT FROM 'closed'
        AND (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')
            >= make_date(left(period, 4)::integer + 1, 4, 1)
    """,
}
