"""Record order answer: a province has debited an account, unfrozen it, or credited it.

credited     restoring --amount--> available       (returned, where the relation has ended)
refused      restoring --amount--> returned        a clerk decides where the money goes (R31)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import record_order_answer as rules
from wallet.domain.commands import RecordOrderAnswer
from wallet.domain.decisions import Decision
from wallet.domain.orders import OrderKind
from wallet.store.opening import open_books
from wallet.store.quotas import orders_by_id
from wallet.store.writing import write


async def record_order_answer(
    tx: Transaction, commands: Sequence[RecordOrderAnswer], now: datetime, *, policy: Policy
) -> list[Decision]:
    orders = await orders_by_id(tx, [command.order_id for command in commands])
    # Debits, which every payment has, move no money any more: no books are read for them.
    credited = [order for order in orders.values() if order.kind is OrderKind.CREDIT]
    beneficiaries = [order.beneficiary_id for order in credited]
    books = await open_books(tx, now, policy, beneficiaries=beneficiaries)

    decisions = []
    for command in commands:
        decision = rules.record_order_answer(books, command, orders.get(command.order_id))
        if decision.answered is not None:
            orders[command.order_id] = decision.answered
        decisions.append(decision)

    await write(tx, decisions, books)
    return decisions
