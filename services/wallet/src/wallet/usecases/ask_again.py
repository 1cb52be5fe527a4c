"""Ask again: a province has kept silent about an order (R9).

No money moves: the same order is told once more under its id, or given over to a clerk. Whatever
is answered then is recorded as if it had come in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import ask_again as rules
from wallet.domain.commands import AskAgain
from wallet.domain.decisions import Decision
from wallet.store.asking import note_asks, open_orders


async def ask_again(
    tx: Transaction, commands: Sequence[AskAgain], now: datetime, *, policy: Policy
) -> list[Decision]:
    books, orders = await open_orders(tx, now, policy, [command.order_id for command in commands])

    decisions = [
        rules.ask_again(books, command, orders.get(command.order_id)) for command in commands
    ]

    await note_asks(tx, decisions)
    return decisions
