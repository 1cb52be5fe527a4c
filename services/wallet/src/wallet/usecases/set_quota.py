"""Set quota: the sharer says what shall be spendable (R9).

more    the province is asked to freeze the difference; the quota is freezing until it answers
less    available --difference--> returned, and the province unfreezes it
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import SetQuota
from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import set_quota as rules
from wallet.domain.decisions import Decision
from wallet.store.opening import open_books
from wallet.store.writing import write


async def set_quota(
    tx: Transaction, commands: Sequence[SetQuota], now: datetime, *, policy: Policy
) -> list[Decision]:
    beneficiaries = [command.beneficiary_id for command in commands]
    books = await open_books(tx, now, policy, beneficiaries=beneficiaries)

    decisions = [rules.set_quota(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
