"""Keep an answer: what another service did for a clerk is told the same way under the same key.

It was done before, because no lock may wait for another service: every such step may be repeated.
Here the door makes of its answer the receipt of the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.decisions import Decision, answered
from kit.answers import Answer
from kit.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAnswer:
    """A final answer of another service, in its exact text."""

    answer: Answer


async def keep_answer(
    _tx: Transaction, commands: Sequence[KeepAnswer], _now: datetime
) -> list[Decision]:
    return [answered(command.answer) for command in commands]
