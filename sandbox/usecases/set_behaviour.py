"""Set a province's behaviour; one that breaks its silence answers what it had kept waiting.

What it had disputed it confirms when it no longer disputes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from kit.answers import answer
from kit.transaction import Transaction
from kit.work import Event
from sandbox.domain.clearing import ClearingState
from sandbox.domain.commands import SetBehaviour
from sandbox.domain.decided import Decided
from sandbox.domain.prefund import Rule
from sandbox.store.behaviours import read_voice, write_behaviour, write_held_answers
from sandbox.store.clearings import read_unconfirmed_months, write_months
from sandbox.store.core import read_core, read_waiting_freezes, write_core
from sandbox.store.prefunds import read_unanswered_prefunds, write_prefunds
from sandbox.usecases.answer_clearing import answers_of
from sandbox.usecases.answer_freeze import answer_of
from sandbox.usecases.top_up_prefund import deposits_of

Set = Callable[[Transaction, Sequence[SetBehaviour], datetime], Awaitable[list[Decided]]]


def set_behaviour(rule: Rule) -> Set:
    """The use case, with the rule by which provinces deposit."""

    async def set_each(
        tx: Transaction, commands: Sequence[SetBehaviour], now: datetime
    ) -> list[Decided]:
        return [await _set(tx, command, rule, now) for command in commands]

    return set_each


async def _set(tx: Transaction, command: SetBehaviour, rule: Rule, now: datetime) -> Decided:
    await write_behaviour(tx, command.province, command.behaviour)
    said: list[Event] = []
    if command.behaviour.freeze != "silent":
        said += await _answer_freezes(tx, command, now)
    if command.behaviour.clearing != "silent":
        said += await _answer_clearings(tx, command, now)
        said += await _top_up(tx, command, rule, now)
    voice = await read_voice(tx, [command.province])
    told = [each for event in said for each in voice.tell(command.province, event, now)]
    await write_held_answers(tx, voice.held)
    return Decided(answer=answer(200, command.behaviour.shown()), events=told)


async def _answer_freezes(tx: Transaction, command: SetBehaviour, now: datetime) -> list[Event]:
    waiting = await read_waiting_freezes(tx, command.province)
    if not waiting:
        return []
    core = await read_core(
        tx,
        accounts={(freeze.asked.province, freeze.asked.psn_no) for freeze in waiting},
        quota_ids={freeze.asked.quota_id for freeze in waiting},
    )
    decided = [core.break_silence(freeze, command.behaviour, now) for freeze in waiting]
    await write_core(tx, core, now)
    return [answer_of(freeze) for freeze in decided]


async def _answer_clearings(tx: Transaction, command: SetBehaviour, now: datetime) -> list[Event]:
    months = await read_unconfirmed_months(tx, command.province)
    said = [
        event
        for clearing in list(months.known.values())
        if command.behaviour.clearing == "confirm" or clearing.state is ClearingState.WAITING
        for event in answers_of(months, clearing, command.behaviour, now)
    ]
    await write_months(tx, months)
    return said


async def _top_up(tx: Transaction, command: SetBehaviour, rule: Rule, now: datetime) -> list[Event]:
    prefunds = await read_unanswered_prefunds(tx, command.province)
    said = [
        event
        for prefund in list(prefunds.known.values())
        for event in deposits_of(prefunds, prefund, rule)
    ]
    await write_prefunds(tx, prefunds, now)
    return said
