"""Hold: a hospital sets relatives' money aside for a bill that is not final yet.

available --amount--> held         of each sharer in order, until the amount is reached
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import Hold
from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import hold as rules
from wallet.domain.decisions import Decision
from wallet.store.opening import open_books
from wallet.store.writing import write


async def hold(
    tx: Transaction, commands: Sequence[Hold], now: datetime, *, policy: Policy
) -> list[Decision]:
    persons = [command.person_id for command in commands]
    books = await open_books(tx, now, policy, persons=persons, beneficiaries=persons)

    decisions = [rules.hold(books, command, policy) for command in commands]

    await write(tx, decisions, books)
    return decisions
