"""Change an enrolment: the province tells that somebody's insurance began, stopped or moved.

An account stays as it is, whatever becomes of the enrolment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.answers import answer
from kit.refusal import NotFound
from kit.transaction import Transaction
from kit.work import UseCase
from sandbox.domain.commands import ChangeEnrolment
from sandbox.domain.decided import Decided
from sandbox.domain.sealing import ProvinceKeys
from sandbox.store.people import read_person, write_enrolment
from sandbox.usecases.make_person import enrolment_of


def change_enrolment(keys: ProvinceKeys) -> UseCase:
    """The use case, sealing what it announces under the provinces' keys."""

    async def perform(
        tx: Transaction, commands: Sequence[ChangeEnrolment], now: datetime
    ) -> list[Decided]:
        return [await _change(tx, command, keys, now) for command in commands]

    return perform


async def _change(
    tx: Transaction, command: ChangeEnrolment, keys: ProvinceKeys, now: datetime
) -> Decided:
    person = await read_person(tx, command.psn_no)
    if person is None or person.province != command.province:
        return Decided(answer=NotFound("nobody here has this psn_no"))
    await write_enrolment(tx, command, now)
    content = {
        "psn_no": person.psn_no,
        "insutype": person.insutype,
        "insuplc_admdvs": person.insuplc_admdvs,
        "status": command.status,
        "since": command.since,
        "reason": command.reason,
    }
    return Decided(answer=answer(202, content), events=(enrolment_of(person, keys, command),))
