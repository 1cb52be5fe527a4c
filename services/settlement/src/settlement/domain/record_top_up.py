"""The rule of a top-up: a province deposits more with another one (R16)."""

from __future__ import annotations

from contracts.vocabulary import PROVINCES
from kit.refusal import NotFound
from settlement.domain.books import Books
from settlement.domain.commands import RecordTopUp
from settlement.domain.decisions import TAKEN, Decision, refused


def record_top_up(books: Books, command: RecordTopUp) -> Decision:
    if command.creditor not in PROVINCES or command.creditor == command.debtor:
        return refused(NotFound("there is no such counterpart"))
    if command.top_up_id in books.known:
        return Decision(answer=TAKEN)
    books.known.add(command.top_up_id)
    return Decision(answer=TAKEN, top_up=command)
