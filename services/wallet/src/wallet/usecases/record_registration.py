"""Record registration: relations tells where a person may be treated away from home (R26)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import record_registration as rules
from wallet.domain.commands import RecordRegistration
from wallet.domain.decisions import Decision
from wallet.domain.open_wallet import last_known
from wallet.store.opening import open_books
from wallet.store.wallets import upsert_wallets


async def record_registration(
    tx: Transaction, commands: Sequence[RecordRegistration], now: datetime, *, policy: Policy
) -> list[Decision]:
    persons = [command.person_id for command in commands]
    books = await open_books(tx, now, policy, persons=persons)

    decisions = [rules.record_registration(books, command) for command in commands]

    await upsert_wallets(tx, last_known(decisions))
    return decisions
