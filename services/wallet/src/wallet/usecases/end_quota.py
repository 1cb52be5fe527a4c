"""End quota: the relation has ended, by will or by an insurance (R3, R5, R6).

available --all of it--> returned        the province unfreezes it
held                     stays, until it is captured, released or expires (R32)

What was spent since a day to which the end is dated back is listed to the sharer's pool (R35).
The fact that the quota has ended is what ends the relation for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import end_quota as rules
from wallet.domain.books import Books
from wallet.domain.commands import EndQuota
from wallet.domain.decisions import Decision
from wallet.store.opening import open_books
from wallet.store.quotas import spent_since
from wallet.store.writing import write


async def end_quota(
    tx: Transaction, commands: Sequence[EndQuota], now: datetime, *, policy: Policy
) -> list[Decision]:
    beneficiaries = [command.beneficiary_id for command in commands]
    books = await open_books(tx, now, policy, beneficiaries=beneficiaries)

    decisions = [
        rules.end_quota(books, command, await _spent_since(tx, books, command))
        for command in commands
    ]

    await write(tx, decisions, books)
    return decisions


async def _spent_since(tx: Transaction, books: Books, command: EndQuota) -> list[tuple[UUID, int]]:
    quota = books.quota_of_relation(command.beneficiary_id, command.relation_id)
    if quota is None or command.since >= books.moment.day:
        return []
    return await spent_since(tx, quota.quota_id, command.since)
