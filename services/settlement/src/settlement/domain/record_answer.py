"""The rule of an answer: each province that was issued a statement confirms or disputes it.

A dispute keeps the month issued until the same province confirms the same version after all; what
is confirmed stays so.
"""

from __future__ import annotations

from dataclasses import replace

from kit.refusal import NotFound, Refusal, WrongState
from settlement.domain.books import Books
from settlement.domain.commands import RecordAnswer
from settlement.domain.decisions import TAKEN, Decision, refused
from settlement.domain.month import Month, Said, told


def record_answer(books: Books, command: RecordAnswer) -> Decision:
    month = books.months.get(command.period)
    if month is None or command.version != month.version:
        return refused(NotFound("no such statement was issued"))
    if command.province not in month.recipients:
        return refused(NotFound("no statement was issued to this province"))
    if command.answer_id in books.known or _was_said(month, command):
        return Decision(answer=TAKEN)
    refusal = _contradiction(month, command)
    if refusal is not None:
        return refused(refusal)

    # From here on the answer is taken.
    books.known.add(command.answer_id)
    said = Said(answer=command.answer, lines=command.lines, at=books.now)
    answered = replace(month, answers={**month.answers, command.province: said})
    after = answered.moved_on(books.now)
    books.put(after)
    return Decision(answer=TAKEN, said=command, events=told(month, after, books.now))


def _was_said(month: Month, command: RecordAnswer) -> bool:
    before = month.answers.get(command.province)
    if before is None or before.answer != command.answer:
        return False
    return command.answer == "confirmed" or before.lines == command.lines


def _contradiction(month: Month, command: RecordAnswer) -> Refusal | None:
    before = month.answers.get(command.province)
    if before is not None and before.answer == "confirmed":
        return WrongState("the province has confirmed")
    return None
