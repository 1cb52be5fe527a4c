"""Record an institution: its province tells whether it is designated and takes wallet payments.

What was told later holds; what is told for a day to come waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.domain.decisions import Decision, answered
from gateway.domain.told import RecordInstitution
from gateway.store.institutions import write_told
from kit.answers import answer
from kit.transaction import Transaction


async def record_institution(
    tx: Transaction, commands: Sequence[RecordInstitution], _now: datetime
) -> list[Decision]:
    for command in commands:
        await write_told(tx, command)
    return [answered(answer(200, {"code": command.code})) for command in commands]
