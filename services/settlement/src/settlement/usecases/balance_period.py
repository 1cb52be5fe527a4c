"""Balance period: all cells were heard, and what they told is what was received (I9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from settlement.domain import balance_period as rules
from settlement.domain.commands import BalancePeriod
from settlement.domain.decisions import Decision
from settlement.store.opening import open_books
from settlement.store.writing import write


async def balance_period(
    tx: Transaction, commands: Sequence[BalancePeriod], now: datetime
) -> list[Decision]:
    books = await open_books(tx, now, {command.period for command in commands})

    decisions = [rules.balance_period(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
