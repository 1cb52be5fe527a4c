"""Pay premium: a sharer's money pays somebody's own premium, once its fund accepts it (R10).

available --amount--> held         of each sharer in order; the fund's province is asked
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import PayPremium
from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain import pay_premium as rules
from wallet.domain.decisions import Decision
from wallet.domain.patience import Insistence
from wallet.domain.premium import Premiums
from wallet.store.opening import open_books
from wallet.store.premiums import living_premiums, write_premiums
from wallet.store.writing import write


async def pay_premium(
    tx: Transaction,
    commands: Sequence[PayPremium],
    now: datetime,
    *,
    policy: Policy,
    insistence: Insistence,
) -> list[Decision]:
    persons = [command.person_id for command in commands]
    books = await open_books(tx, now, policy, persons=persons, beneficiaries=persons)
    premiums = Premiums(known=await living_premiums(tx, sorted(set(persons))))

    decisions = [
        rules.pay_premium(books, premiums, command, policy, insistence) for command in commands
    ]

    await write(tx, decisions, books)
    await write_premiums(tx, premiums)
    return decisions
