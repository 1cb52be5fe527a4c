"""Record person: relations tells that a person's insurance has changed (R5, R18)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import open_wallet as rules
from wallet.domain.commands import RecordPerson
from wallet.domain.decisions import Decision
from wallet.store.opening import open_books
from wallet.store.wallets import upsert_wallets


async def record_person(
    tx: Transaction, commands: Sequence[RecordPerson], now: datetime, *, policy: Policy
) -> list[Decision]:
    persons = [command.person.person_id for command in commands]
    books = await open_books(tx, now, policy, persons=persons)

    decisions = [rules.record_person(books, command) for command in commands]

    await upsert_wallets(tx, rules.last_known(decisions))
    return decisions
