"""Release a hold: the hospital gives it up, nothing is charged.

held --amount--> available         returned, where the relation has ended
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import Release
from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import release as rules
from wallet.domain.decisions import Decision
from wallet.store.opening import open_payments
from wallet.store.writing import write


async def release(
    tx: Transaction, commands: Sequence[Release], now: datetime, *, policy: Policy
) -> list[Decision]:
    books = await open_payments(tx, now, policy, [command.payment_id for command in commands])

    decisions = [rules.release(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
