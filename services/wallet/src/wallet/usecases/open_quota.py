"""Open quota: a relation was activated, so its sharer may say what shall be spendable.

The fact that the quota is open is what makes the relation active.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import open_quota as rules
from wallet.domain.commands import OpenQuota
from wallet.domain.decisions import Decision
from wallet.store.opening import open_books
from wallet.store.quotas import insert_quotas


async def open_quota(
    tx: Transaction, commands: Sequence[OpenQuota], now: datetime, *, policy: Policy
) -> list[Decision]:
    beneficiaries = [command.relation.beneficiary.person_id for command in commands]
    books = await open_books(tx, now, policy, beneficiaries=beneficiaries)

    decided = [rules.open_quota(books, command) for command in commands]

    await insert_quotas(tx, [quota for _, quota in decided if quota is not None])
    return [decision for decision, _ in decided]
