"""Order sharers: the beneficiary says in which order relatives' quotas give (R12)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import OrderSharers
from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import order_sharers as rules
from wallet.domain.decisions import Decision
from wallet.store.opening import open_books
from wallet.store.writing import write


async def order_sharers(
    tx: Transaction, commands: Sequence[OrderSharers], now: datetime, *, policy: Policy
) -> list[Decision]:
    beneficiaries = [command.person_id for command in commands]
    books = await open_books(tx, now, policy, beneficiaries=beneficiaries)

    decisions = [rules.order_sharers(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
