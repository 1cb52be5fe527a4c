"""Suspend quota: while an insurance is suspended, nothing new may be held or paid (R5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import suspend_quota as rules
from wallet.domain.commands import SuspendQuota
from wallet.domain.decisions import Decision
from wallet.store.opening import open_books
from wallet.store.writing import write


async def suspend_quota(
    tx: Transaction, commands: Sequence[SuspendQuota], now: datetime, *, policy: Policy
) -> list[Decision]:
    beneficiaries = [command.beneficiary_id for command in commands]
    books = await open_books(tx, now, policy, beneficiaries=beneficiaries)

    decisions = [rules.suspend_quota(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
