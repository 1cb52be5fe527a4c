"""Issue statements: a clerk has each province sent what it owes and is owed, gross (R15)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from settlement.domain import issue_statements as rules
from settlement.domain.commands import IssueStatements
from settlement.domain.decisions import Decision
from settlement.store.opening import open_books
from settlement.store.writing import write


async def issue_statements(
    tx: Transaction, commands: Sequence[IssueStatements], now: datetime
) -> list[Decision]:
    books = await open_books(tx, now, {command.period for command in commands})

    decisions = [rules.issue_statements(books, command) for command in commands]

    await write(tx, decisions, books)
    return decisions
