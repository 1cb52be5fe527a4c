"""Record cut: a cell of the wallet told what its month adds up to; the first begins the month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from settlement.domain import record_cut as rules
from settlement.domain.commands import RecordCut
from settlement.domain.decisions import Decision
from settlement.store.opening import open_books
from settlement.store.writing import write


async def record_cut(
    tx: Transaction, commands: Sequence[RecordCut], now: datetime
) -> list[Decision]:
    books = await open_books(tx, now, {command.cut.period for command in commands})

    decisions = [rules.record_cut(books, command.cut) for command in commands]

    await write(tx, decisions, books)
    return decisions
