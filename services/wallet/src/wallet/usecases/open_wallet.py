"""Open wallet: an insured person opens the medical-insurance wallet (R29)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import OpenWallet
from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import open_wallet as rules
from wallet.domain.decisions import Decision
from wallet.store.opening import open_books
from wallet.store.wallets import upsert_wallets


async def open_wallet(
    tx: Transaction, commands: Sequence[OpenWallet], now: datetime, *, policy: Policy
) -> list[Decision]:
    persons = [command.person.person_id for command in commands]
    books = await open_books(tx, now, policy, persons=persons, beneficiaries=persons)

    decisions = [rules.open_wallet(books, command) for command in commands]

    await upsert_wallets(tx, rules.last_known(decisions))
    return decisions
