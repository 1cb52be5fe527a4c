"""I1 nothing lost, I2 nothing double: what was answered against what is kept."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable

from proof.rows import Exchange, Ledger, Receipt

MADE = (201, 202)
"""A payment is made at once; a premium once its fund has accepted it."""


def lost(ledger: Ledger, history: Iterable[Exchange] = ()) -> list[str]:
    """I1: each success that a caller was told is kept, word for word, and its payment with it."""
    payments = {payment.payment_id for payment in ledger.payments}
    kept: dict[str, set[tuple[int, str]]] = defaultdict(set)
    violations = []
    for receipt in ledger.receipts:
        kept[receipt.key].add((receipt.status, receipt.body))
        payment_id = payment_of(receipt)
        if payment_id is not None and payment_id not in payments:
            violations.append(f"payment {payment_id} was answered to {receipt.caller} and is gone")
    for exchange in history:
        if not 200 <= exchange.status < 300:
            continue
        if (exchange.status, exchange.body) not in kept[exchange.key]:
            violations.append(f"key {exchange.key} was answered {exchange.status}; nothing kept it")
    return violations


def doubled(ledger: Ledger, history: Iterable[Exchange] = ()) -> list[str]:
    """I2: a key has one effect and one answer, byte for byte; a payment has one key."""
    causes = Counter(filter(None, map(payment_made_by, ledger.receipts)))
    violations = [
        f"payment {payment_id} was made under {count} keys"
        for payment_id, count in sorted(causes.items())
        if count > 1
    ]
    violations += [
        f"payment {payment.payment_id} was made and no key asked for it"
        for payment in ledger.payments
        if payment.payment_id not in causes
    ]
    return violations + _different_answers(history)


def _different_answers(history: Iterable[Exchange]) -> list[str]:
    # What no receipt keeps may differ from try to try: malformed, unauthorised, busy, away.
    answers: dict[tuple[str, str], set[tuple[int, str]]] = defaultdict(set)
    fresh: Counter[tuple[str, str]] = Counter()
    for each in history:
        if 200 <= each.status < 300:
            answers[each.caller, each.key].add((each.status, each.body))
            fresh[each.caller, each.key] += not each.replayed
    violations = [
        f"key {key} was answered in {len(given)} different ways"
        for (_, key), given in sorted(answers.items())
        if len(given) > 1
    ]
    violations += [
        f"key {key} was answered afresh {count} times"
        for (_, key), count in sorted(fresh.items())
        if count > 1
    ]
    return violations


def payment_of(receipt: Receipt) -> str | None:
    """The payment that a successful answer names; None for any other answer."""
    if not 200 <= receipt.status < 300:
        return None
    body = json.loads(receipt.body)
    return body.get("payment_id") if isinstance(body, dict) else None


def payment_made_by(receipt: Receipt) -> str | None:
    """The payment that an answer says was made; None where it tells what became of one."""
    made = receipt.status in MADE and "refund_id" not in json.loads(receipt.body)
    return payment_of(receipt) if made else None
