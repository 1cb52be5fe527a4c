"""Issue an e-certificate code: what a person's phone shows at the counter, for a few minutes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from kit.answers import answer
from kit.refusal import NotFound
from kit.transaction import Transaction
from sandbox.domain.commands import IssueEcCode
from sandbox.domain.decided import Decided
from sandbox.store.people import read_person, write_ec_code

VALID_FOR = timedelta(minutes=10)


async def issue_ec_code(
    tx: Transaction, commands: Sequence[IssueEcCode], now: datetime
) -> list[Decided]:
    return [await _issue(tx, command, now) for command in commands]


async def _issue(tx: Transaction, command: IssueEcCode, now: datetime) -> Decided:
    if await read_person(tx, command.psn_no) is None:
        return Decided(answer=NotFound("nobody here has this psn_no"))
    await write_ec_code(tx, command, now, VALID_FOR)
    return Decided(answer=answer(200, {"value": command.code}))
