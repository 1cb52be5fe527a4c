"""Tell an answer that a late or reordering province had held back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from sandbox.domain.commands import TellAnswer
from sandbox.domain.decided import DONE, Decided
from sandbox.store.behaviours import read_held_answers, write_sent


async def tell_answer(
    tx: Transaction, commands: Sequence[TellAnswer], now: datetime
) -> list[Decided]:
    held = await read_held_answers(tx, [command.answer_id for command in commands])
    await write_sent(tx, list(held), now)
    decisions = []
    for command in commands:
        answer = held.pop(command.answer_id, None)
        events = () if answer is None else (answer.event,) * answer.copies
        decisions.append(Decided(answer=DONE, events=events))
    return decisions
