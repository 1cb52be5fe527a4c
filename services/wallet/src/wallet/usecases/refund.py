"""Refund: what was paid too much goes back to the quotas it came from (R22, R31).

spent --amount--> restoring        until each sharer's province has credited it
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import Refund
from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import refund as rules
from wallet.domain.decisions import Decision
from wallet.store.opening import open_payments
from wallet.store.writing import write


async def refund(
    tx: Transaction, commands: Sequence[Refund], now: datetime, *, policy: Policy
) -> list[Decision]:
    books = await open_payments(tx, now, policy, [command.payment_id for command in commands])

    decisions = [rules.refund(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
