"""Extend a hold: the stay lasts longer, so the money stays set aside. No book changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import Extend
from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import extend as rules
from wallet.domain.decisions import Decision
from wallet.store.opening import open_payments
from wallet.store.writing import write


async def extend(
    tx: Transaction, commands: Sequence[Extend], now: datetime, *, policy: Policy
) -> list[Decision]:
    books = await open_payments(tx, now, policy, [command.payment_id for command in commands])

    decisions = [rules.extend(books, command, policy) for command in commands]

    await write(tx, decisions, books)
    return decisions
