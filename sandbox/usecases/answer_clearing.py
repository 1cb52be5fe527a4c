"""Answer a month's statement, and pay what the province owes by it (R15).

clearing.issued --confirm--> clearing.answered confirmed, clearing.paid a counterpart
                --dispute--> clearing.answered disputed; the month waits
                --silence--> nothing, until the province speaks again
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.events import ClearingAnswered, ClearingPaid, event
from contracts.topics import from_province
from kit.transaction import Transaction
from kit.work import Event
from sandbox.domain.behaviour import WELL_BEHAVED, Behaviour, Voice
from sandbox.domain.clearing import Clearing, ClearingState, Months, Transfer
from sandbox.domain.commands import AnswerClearing
from sandbox.domain.decided import DONE, Decided
from sandbox.store.behaviours import read_voice, write_held_answers
from sandbox.store.clearings import read_months, write_months


async def answer_clearing(
    tx: Transaction, commands: Sequence[AnswerClearing], now: datetime
) -> list[Decided]:
    months = await read_months(
        tx,
        {(command.province, command.issued.period, command.issued.version) for command in commands},
    )
    voice = await read_voice(tx, {command.province for command in commands})

    decisions = [_decide(months, voice, command, now) for command in commands]

    await write_months(tx, months)
    await write_held_answers(tx, voice.held)
    return decisions


def _decide(months: Months, voice: Voice, command: AnswerClearing, now: datetime) -> Decided:
    province = command.province
    clearing = months.issue(province, command.issued, now)
    behaviour = voice.behaviours.get(province, WELL_BEHAVED)
    said = answers_of(months, clearing, behaviour, now)
    told = [each for event_ in said for each in voice.tell(province, event_, now)]
    return Decided(answer=DONE, events=told)


def answers_of(
    months: Months, clearing: Clearing, behaviour: Behaviour, now: datetime
) -> list[Event]:
    """What the province says of a month now: its answer, then what it has paid because of it."""
    paid = months.decide(clearing, behaviour, now)
    decided = months.known[clearing.name]
    if decided.state is ClearingState.WAITING:
        return []
    topic = from_province(clearing.province)
    confirmed = decided.state is ClearingState.CONFIRMED
    answered = ClearingAnswered(
        period=clearing.period,
        version=clearing.version,
        answer="confirmed" if confirmed else "disputed",
        lines=None if confirmed else tuple(line.model_dump(mode="json") for line in clearing.lines),
    )
    return [
        event(topic, clearing.period, clearing.period, answered),
        *(event(topic, clearing.period, _subject(each), _paid(each)) for each in paid),
    ]


def _subject(transfer: Transfer) -> str:
    """One of each payment, for an event's id is made of it: a province pays several at once."""
    _, period, _ = transfer.clearing
    return f"{period}/{transfer.counterpart}"


def _paid(transfer: Transfer) -> ClearingPaid:
    province, period, version = transfer.clearing
    return ClearingPaid(
        period=period,
        version=version,
        tier="interprovince",
        payer=province,
        payee=transfer.counterpart,
        amount_fen=transfer.amount_fen,
        paid_on=transfer.paid_on,
    )
