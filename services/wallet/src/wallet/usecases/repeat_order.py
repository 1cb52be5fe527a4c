"""Repeat order: a clerk has a silent province told once more.

Safe for every kind: a province carries an order out once and repeats its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import repeat_order as rules
from wallet.domain.commands import RepeatOrder
from wallet.domain.decisions import Decision
from wallet.store.asking import note_asks, open_orders


async def repeat_order(
    tx: Transaction, commands: Sequence[RepeatOrder], now: datetime, *, policy: Policy
) -> list[Decision]:
    books, orders = await open_orders(tx, now, policy, [command.order_id for command in commands])

    decisions = [
        rules.repeat_order(books, command, orders.get(command.order_id)) for command in commands
    ]

    await note_asks(tx, decisions)
    return decisions
