"""Answer whether two are relatives, as the province's register knows it (R13).

kinship.asked --as it behaves--> kinship.answered, or nothing while it keeps silent
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.events import KinshipAnswered, event
from contracts.topics import from_province
from kit.transaction import Transaction
from sandbox.domain.behaviour import WELL_BEHAVED, Voice
from sandbox.domain.commands import AnswerKinship
from sandbox.domain.decided import DONE, Decided
from sandbox.store.behaviours import read_voice, write_held_answers


async def answer_kinship(
    tx: Transaction, commands: Sequence[AnswerKinship], now: datetime
) -> list[Decided]:
    voice = await read_voice(tx, {command.province for command in commands})

    decisions = [_decide(voice, command, now) for command in commands]

    await write_held_answers(tx, voice.held)
    return decisions


def _decide(voice: Voice, command: AnswerKinship, now: datetime) -> Decided:
    said = voice.behaviours.get(command.province, WELL_BEHAVED).kinship
    if said == "silent":
        return Decided(answer=DONE)
    inquiry = command.inquiry
    body = KinshipAnswered(inquiry_id=inquiry.inquiry_id, answer=said)
    told = event(
        from_province(command.province), inquiry.beneficiary.psn_no, inquiry.inquiry_id, body
    )
    return Decided(answer=DONE, events=voice.tell(command.province, told, now))
