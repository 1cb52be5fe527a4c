"""Expire holds: nobody captured them in time, by the clock of the database.

held --amount--> available         returned, where the relation has ended

The sweep chooses candidates without locks; only here it is certain that the deadline it saw is
still the hold's and has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import release as rules
from wallet.domain.commands import ExpireHold
from wallet.domain.decisions import Decision
from wallet.store.opening import open_payments
from wallet.store.writing import write


async def expire_holds(
    tx: Transaction, commands: Sequence[ExpireHold], now: datetime, *, policy: Policy
) -> list[Decision]:
    books = await open_payments(tx, now, policy, [command.payment_id for command in commands])

    decisions = [rules.expire_hold(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
