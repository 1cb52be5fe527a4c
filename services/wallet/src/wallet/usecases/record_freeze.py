"""Record freeze: the sharer's province has frozen what was asked, or refuses.

confirmed    province --amount--> available      (and on to returned, where the quota has ended)
refused      nothing moves; the quota shows the reason
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import record_freeze as rules
from wallet.domain.commands import RecordFreeze
from wallet.domain.decisions import Decision
from wallet.store.opening import open_books
from wallet.store.quotas import orders_by_id
from wallet.store.writing import write


async def record_freeze(
    tx: Transaction, commands: Sequence[RecordFreeze], now: datetime, *, policy: Policy
) -> list[Decision]:
    orders = await orders_by_id(tx, [command.freeze_id for command in commands])
    beneficiaries = [order.beneficiary_id for order in orders.values()]
    books = await open_books(tx, now, policy, beneficiaries=beneficiaries)

    decisions = []
    for command in commands:
        decision = rules.record_freeze(books, command, orders.get(command.freeze_id))
        if decision.answered is not None:
            orders[command.freeze_id] = decision.answered
        decisions.append(decision)

    await write(tx, decisions, books)
    return decisions
