"""I13: the money that a quota counts on is frozen in the sharer's province, to the fen.

    available + held  ≤  frozen  ≤  available + held + unanswered orders

Both sides are equal once the province has answered everything it was asked.
"""

from __future__ import annotations

from collections import defaultdict

from proof.rows import Ledger, Provinces

UNANSWERED = ("sent", "given_up")
"""What was given up may have been frozen all the same, until the province says so."""


def mirrored(ledger: Ledger, provinces: Provinces) -> list[str]:
    """I13 for every quota whose sharer has an account in a province that can be read."""
    frozen = {each.quota_id: each.amount for each in provinces.frozen}
    unanswered: dict[str, int] = defaultdict(int)
    for order in ledger.orders:
        if order.state in UNANSWERED:
            unanswered[order.quota_id] += order.amount
    violations = []
    for quota in ledger.quotas:
        there = frozen.pop(quota.quota_id, 0)
        if quota.sharer_psn_no not in provinces.holders:
            continue
        here, open_orders = quota.available + quota.held, unanswered[quota.quota_id]
        if not here <= there <= here + open_orders:
            violations.append(
                f"quota {quota.quota_id} counts on {here} and {open_orders} are under way;"
                f" its province has frozen {there}"
            )
    violations += [
        f"a province has frozen {amount} for quota {quota_id}, which no wallet knows"
        for quota_id, amount in sorted(frozen.items())
        if amount
    ]
    return violations + _orders(ledger)


def _orders(ledger: Ledger) -> list[str]:
    """What was granted is what provinces confirmed, what was spent is what they were told of."""
    confirmed: dict[str, int] = defaultdict(int)
    debited: dict[str, int] = defaultdict(int)
    for order in ledger.orders:
        if order.kind == "freeze" and order.state == "confirmed":
            confirmed[order.quota_id] += order.amount
        if order.kind == "debit":
            debited[order.quota_id] += order.amount
    spent: dict[str, int] = defaultdict(int)
    for flow in ledger.flows:
        if flow.target == "spent":
            spent[flow.quota_id] += flow.amount
    violations = []
    for quota in ledger.quotas:
        name = quota.quota_id
        if quota.granted != confirmed[name]:
            violations.append(
                f"quota {name} was granted {quota.granted}, freezes of {confirmed[name]} confirmed"
            )
        if spent[name] != debited[name]:
            violations.append(
                f"quota {name} spent {spent[name]}, its province was told to debit {debited[name]}"
            )
    return violations
