"""Pay: the treatment was given or the drugs handed over, and relatives' quotas pay at once.

available --amount--> spent        of each sharer in order, until the amount is reached
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import Pay
from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import pay as rules
from wallet.domain.decisions import Decision
from wallet.store.opening import open_books
from wallet.store.writing import write


async def pay(
    tx: Transaction, commands: Sequence[Pay], now: datetime, *, policy: Policy
) -> list[Decision]:
    # Read. The door holds the locks of everyone in the batch, so what is read here stays true.
    persons = [command.person_id for command in commands]
    books = await open_books(tx, now, policy, persons=persons, beneficiaries=persons)

    # Decide. Pure; each command sees what the one before it did.
    decisions = [rules.pay(books, command, policy) for command in commands]

    # Write what was decided, one statement a table. From here on nothing can be refused.
    await write(tx, decisions, books)

    # Tell. The door keeps the receipts, puts the events in the outbox and commits.
    return decisions
