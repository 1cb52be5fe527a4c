"""I3 conservation, I4 no overdraft, I5 balances equal the sum of their entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from proof.rows import BOOKS, Allocation, Flow, Ledger, Payment, Quota

OUTSIDE = "province"

Amounts = Mapping[tuple[str, str], int]


def conservation(ledger: Ledger) -> list[str]:
    """I3: granted is the sum of the books, and a payment of what each quota gave to it."""
    return [
        *(
            f"quota {quota.quota_id} was granted {quota.granted} and has {sum_of(quota)}"
            for quota in ledger.quotas
            if quota.granted != sum_of(quota)
        ),
        *_payments(ledger.payments, ledger.allocations, ledger.flows),
    ]


def sum_of(quota: Quota) -> int:
    return sum(quota.book(name) for name in BOOKS)


def _payments(
    payments: Iterable[Payment], allocations: Iterable[Allocation], flows: Iterable[Flow]
) -> list[str]:
    given: dict[str, int] = defaultdict(int)
    allocated: dict[tuple[str, str], int] = defaultdict(int)
    for each in allocations:
        given[each.payment_id] += each.amount
        allocated[each.payment_id, each.quota_id] += each.amount
    spent: dict[str, int] = defaultdict(int)
    moved: set[tuple[str, str]] = set()
    for flow in flows:
        if flow.payment_id is not None:
            moved.add((flow.payment_id, flow.quota_id))
            spent[flow.payment_id] += flow.amount if flow.target == "spent" else 0
            spent[flow.payment_id] -= flow.amount if flow.source == "spent" else 0
    violations = []
    known = set()
    for payment in payments:
        known.add(payment.payment_id)
        if payment.amount != given[payment.payment_id]:
            violations.append(
                f"payment {payment.payment_id} of {payment.amount} was given"
                f" {given[payment.payment_id]}"
            )
        charged = payment.captured - payment.refunded
        if charged != spent[payment.payment_id]:
            violations.append(
                f"payment {payment.payment_id} charged {charged} and its quotas"
                f" spent {spent[payment.payment_id]}"
            )
    violations += [
        f"quota {quota_id} moved money for payment {payment_id}, which took none from it"
        for payment_id, quota_id in sorted(moved - allocated.keys())
    ]
    violations += [
        f"payment {payment_id} is in the entries and nowhere else"
        for payment_id in sorted((spent.keys() | given.keys()) - known)
    ]
    return violations


def overdraft(ledger: Ledger) -> list[str]:
    """I4: no book is below zero, and of a hold no more comes out than went in."""
    violations = [
        f"quota {quota.quota_id} has {quota.book(name)} in {name}"
        for quota in ledger.quotas
        for name in ("granted", *BOOKS)
        if quota.book(name) < 0
    ]
    held: dict[tuple[str, str], int] = defaultdict(int)
    for flow in ledger.flows:
        if flow.payment_id is None:
            continue
        if flow.target == "held":
            held[flow.payment_id, flow.quota_id] += flow.amount
        if flow.source == "held":
            held[flow.payment_id, flow.quota_id] -= flow.amount
    violations += [
        f"payment {payment_id} took {-left} more out of its hold on quota {quota_id} than it held"
        for (payment_id, quota_id), left in sorted(held.items())
        if left < 0
    ]
    return violations


def recomputed(ledger: Ledger) -> list[str]:
    """I5: each book is what came in less what went out, and nothing moves without a quota."""
    books: dict[tuple[str, str], int] = defaultdict(int)
    for flow in ledger.flows:
        books[flow.quota_id, flow.target] += flow.amount
        books[flow.quota_id, flow.source] -= flow.amount
    violations = []
    known = set()
    for quota in ledger.quotas:
        known.add(quota.quota_id)
        expected = {name: books[quota.quota_id, name] for name in BOOKS}
        expected["granted"] = -books[quota.quota_id, OUTSIDE]
        violations += [
            f"quota {quota.quota_id} has {quota.book(name)} in {name}; its entries say {amount}"
            for name, amount in expected.items()
            if quota.book(name) != amount
        ]
    violations += [
        f"entries move money of quota {quota_id}, which does not exist"
        for quota_id in sorted({flow.quota_id for flow in ledger.flows} - known)
    ]
    return violations
