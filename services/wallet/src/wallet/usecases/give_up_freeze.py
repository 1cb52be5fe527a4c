"""Give up freeze: a clerk counts on no answer any more, and the sharer may ask anew.

now          nothing moves; the quota shows `silent` as its refusal
late yes     province --amount--> available --amount--> returned, and the province unfreezes it
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import give_up_freeze as rules
from wallet.domain.commands import GiveUpFreeze
from wallet.domain.decisions import Decision
from wallet.store.asking import open_orders
from wallet.store.writing import write


async def give_up_freeze(
    tx: Transaction, commands: Sequence[GiveUpFreeze], now: datetime, *, policy: Policy
) -> list[Decision]:
    books, orders = await open_orders(tx, now, policy, [command.order_id for command in commands])

    decisions = [
        rules.give_up_freeze(books, command, orders.get(command.order_id)) for command in commands
    ]

    await write(tx, decisions, books)
    return decisions
