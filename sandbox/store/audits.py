"""What must be true of the cores' books: named queries that return no row."""

from __future__ import annotations

from collections.abc import Mapping

AUDITS: Mapping[str, str] = {
    "an account is the sum of its entries": """
        SELECT account.province, account.psn_no
        FROM account
        LEFT JOIN entry USING (province, psn_no)
        GROUP BY account.province, account.psn_no
        HAVING account.balance_fen <> coalesce(sum(entry.balance_fen), 0)
            OR account.frozen_fen <> coalesce(sum(entry.frozen_fen), 0)
    """,
    "what is frozen of an account is frozen for its quotas": """
        SELECT account.province, account.psn_no
        FROM account
        LEFT JOIN frozen_quota USING (province, psn_no)
        GROUP BY account.province, account.psn_no
        HAVING account.frozen_fen <> coalesce(sum(frozen_quota.frozen_fen), 0)
    """,
    "what is frozen for a quota is the sum of its entries": """
        SELECT frozen_quota.quota_id
        FROM frozen_quota
        LEFT JOIN entry USING (quota_id)
        GROUP BY frozen_quota.quota_id
        HAVING frozen_quota.frozen_fen <> coalesce(sum(entry.frozen_fen), 0)
    """,
    "a freeze is confirmed if and only if it has an entry": """
        SELECT freeze_request.freeze_id
        FROM freeze_request
        LEFT JOIN entry ON entry.reference = freeze_request.freeze_id AND entry.kind = 'freeze'
        WHERE (freeze_request.state = 'confirmed') <> (entry.reference IS NOT NULL)
    """,
    "an order was obeyed by one entry": """
        SELECT account_order.order_id
        FROM account_order
        LEFT JOIN entry
            ON entry.reference = account_order.order_id AND entry.kind = account_order.kind
        WHERE entry.reference IS NULL
    """,
    "what was paid for a month was confirmed": """
        SELECT transfer.province, transfer.period
        FROM transfer
        JOIN clearing USING (province, period, version)
        WHERE clearing.state <> 'confirmed'
    """,
    "a prefund is the sum of its deposits": """
        SELECT prefund.province, prefund.counterpart
        FROM prefund
        LEFT JOIN deposit USING (province, counterpart)
        GROUP BY prefund.province, prefund.counterpart
        HAVING prefund.deposited_fen <> coalesce(sum(deposit.amount_fen), 0)
    """,
}
