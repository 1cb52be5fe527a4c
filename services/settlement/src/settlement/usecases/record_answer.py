"""Record answer: a province confirms its statement, or disputes it; all have to confirm."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from settlement.domain import record_answer as rules
from settlement.domain.commands import RecordAnswer
from settlement.domain.decisions import Decision
from settlement.store.months import known_answers
from settlement.store.opening import open_books
from settlement.store.writing import write


async def record_answer(
    tx: Transaction, commands: Sequence[RecordAnswer], now: datetime
) -> list[Decision]:
    books = await open_books(tx, now, {command.period for command in commands})
    books.known = await known_answers(tx, {command.answer_id for command in commands})

    decisions = [rules.record_answer(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
