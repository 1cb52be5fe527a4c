"""Close period: all was paid, and a clerk closes the month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from settlement.domain import close_period as rules
from settlement.domain.commands import ClosePeriod
from settlement.domain.decisions import Decision
from settlement.store.opening import open_books
from settlement.store.writing import write


async def close_period(
    tx: Transaction, commands: Sequence[ClosePeriod], now: datetime
) -> list[Decision]:
    books = await open_books(tx, now, {command.period for command in commands})

    decisions = [rules.close_period(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
