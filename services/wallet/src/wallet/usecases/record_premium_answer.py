"""Record premium answer: the levy's own fund accepts, refuses or gives back a premium (R10).

accepted     held --amount--> spent             and debited at the sharers' provinces
refused      held --amount--> available         (returned, where the relation has ended)
refunded     spent --amount--> restoring        until each sharer's province has credited it
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import record_premium_answer as rules
from wallet.domain.commands import RecordPremiumAnswer
from wallet.domain.decisions import Decision
from wallet.domain.premium import Premiums
from wallet.store.opening import open_payments
from wallet.store.premiums import premiums_by_id, write_premiums
from wallet.store.writing import write


async def record_premium_answer(
    tx: Transaction, commands: Sequence[RecordPremiumAnswer], now: datetime, *, policy: Policy
) -> list[Decision]:
    payment_ids = [command.payment_id for command in commands]
    books = await open_payments(tx, now, policy, payment_ids)
    premiums = Premiums(known=await premiums_by_id(tx, payment_ids))

    decisions = [rules.record_premium_answer(books, premiums, command) for command in commands]

    await write(tx, decisions, books)
    await write_premiums(tx, premiums)
    return decisions
