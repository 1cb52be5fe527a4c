"""Capture a hold: the treatment was given, so money set aside becomes money owed.

held --amount-----> spent          what the hospital charged
held --remainder--> available      what it did not (returned, where the relation has ended)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import Capture
from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import capture as rules
from wallet.domain.decisions import Decision
from wallet.store.opening import open_payments
from wallet.store.writing import write


async def capture(
    tx: Transaction, commands: Sequence[Capture], now: datetime, *, policy: Policy
) -> list[Decision]:
    books = await open_payments(tx, now, policy, [command.payment_id for command in commands])

    decisions = [rules.capture(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
