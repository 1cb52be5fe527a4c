"""Change a registration: the province tells where somebody may be treated away from home (R26)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.answers import answer
from kit.refusal import NotFound
from kit.transaction import Transaction
from sandbox.domain.commands import ChangeRegistration
from sandbox.domain.decided import Decided
from sandbox.store.people import read_person, write_registrations
from sandbox.usecases.make_person import registration_of


async def change_registration(
    tx: Transaction, commands: Sequence[ChangeRegistration], now: datetime
) -> list[Decided]:
    known = [await _is_ours(tx, command) for command in commands]
    await write_registrations(
        tx, [command for command, ours in zip(commands, known, strict=True) if ours], now
    )
    return [
        _told(command) if ours else Decided(answer=NotFound("nobody here has this psn_no"))
        for command, ours in zip(commands, known, strict=True)
    ]


async def _is_ours(tx: Transaction, command: ChangeRegistration) -> bool:
    person = await read_person(tx, command.psn_no)
    return person is not None and person.province == command.province


def _told(command: ChangeRegistration) -> Decided:
    content = {
        "psn_no": command.psn_no,
        "mdtrtarea_admvs": command.mdtrtarea_admvs,
        "from": command.valid_from,
        "to": command.valid_to,
    }
    return Decided(answer=answer(202, content), events=(registration_of(command),))
