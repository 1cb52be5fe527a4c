"""Answer a freeze request: set money aside for a quota, or say why not (R7, R8).

freeze-requested --enough------> freeze-confirmed
freeze-requested --not enough--> freeze-refused
freeze-requested --silence-----> nothing, until the province speaks again
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.events import FreezeConfirmed, FreezeRefused, Told, event
from contracts.topics import from_province
from kit.transaction import Transaction
from kit.work import Event
from sandbox.domain.behaviour import WELL_BEHAVED, Voice
from sandbox.domain.commands import AnswerFreeze
from sandbox.domain.core import Asked, Core, Freeze, FreezeState
from sandbox.domain.decided import DONE, Decided
from sandbox.store.behaviours import read_voice, write_held_answers
from sandbox.store.core import read_core, write_core


async def answer_freeze(
    tx: Transaction, commands: Sequence[AnswerFreeze], now: datetime
) -> list[Decided]:
    core = await read_core(
        tx,
        accounts={(command.province, command.request.psn_no) for command in commands},
        quota_ids={command.request.quota_id for command in commands},
        freeze_ids={command.request.freeze_id for command in commands},
    )
    voice = await read_voice(tx, {command.province for command in commands})

    decisions = [_decide(core, voice, command, now) for command in commands]

    await write_core(tx, core, now)
    await write_held_answers(tx, voice.held)
    return decisions


def _decide(core: Core, voice: Voice, command: AnswerFreeze, now: datetime) -> Decided:
    request = command.request
    asked = Asked(
        province=command.province,
        psn_no=request.psn_no,
        pool_admdvs=request.pool_admdvs,
        quota_id=request.quota_id,
        amount_fen=request.amount_fen,
    )
    behaviour = voice.behaviours.get(command.province, WELL_BEHAVED)
    freeze = core.ask_freeze(request.freeze_id, asked, behaviour, now)
    if freeze.state is FreezeState.WAITING:
        return Decided(answer=DONE)
    return Decided(answer=DONE, events=voice.tell(command.province, answer_of(freeze), now))


def answer_of(freeze: Freeze) -> Event:
    """What the province says of a freeze that it decided."""
    assert freeze.state is not FreezeState.WAITING
    body: Told
    if freeze.reason is None:
        body = FreezeConfirmed(freeze_id=freeze.freeze_id)
    else:
        body = FreezeRefused(freeze_id=freeze.freeze_id, reason=freeze.reason)
    topic = from_province(freeze.asked.province)
    return event(topic, freeze.asked.psn_no, freeze.freeze_id, body)
