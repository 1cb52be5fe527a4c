"""Ask premium again: its fund keeps silent, and the money stays set aside until it has spoken.

The sweep chooses candidates without locks; only here it is certain that nobody has answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import record_premium_answer as rules
from wallet.domain.commands import AskPremiumAgain
from wallet.domain.decisions import Decision
from wallet.domain.patience import Insistence
from wallet.domain.premium import Premiums
from wallet.store.opening import open_payments
from wallet.store.premiums import premiums_by_id, write_premiums


async def ask_premium_again(
    tx: Transaction,
    commands: Sequence[AskPremiumAgain],
    now: datetime,
    *,
    policy: Policy,
    insistence: Insistence,
) -> list[Decision]:
    payment_ids = [command.payment_id for command in commands]
    books = await open_payments(tx, now, policy, payment_ids)
    premiums = Premiums(known=await premiums_by_id(tx, payment_ids))

    decisions = [rules.ask_again(books, premiums, command, insistence) for command in commands]

    await write_premiums(tx, premiums)
    return decisions
