"""Tell an institution: whether it is designated, and takes wallet payments (R27)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.events import event
from contracts.topics import from_province
from kit.answers import Answer
from kit.transaction import Transaction
from sandbox.domain.commands import TellInstitution
from sandbox.domain.decided import Decided


async def tell_institution(
    _tx: Transaction, commands: Sequence[TellInstitution], _now: datetime
) -> list[Decided]:
    return [_told(command) for command in commands]


def _told(command: TellInstitution) -> Decided:
    told, code = command.told, command.told.fixmedins_code
    said = event(from_province(command.province), code, code, told)
    return Decided(answer=Answer(status=202, body=said.data.decode()), events=(said,))
