"""Deposit: somebody pays into an account, so that more of it is spendable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.vocabulary import MOST_FEN
from kit.answers import answer
from kit.refusal import Invalid
from kit.transaction import Transaction
from sandbox.domain.commands import Deposit
from sandbox.domain.core import Account, Core
from sandbox.domain.decided import Decided
from sandbox.domain.refusals import NoAccount
from sandbox.store.core import read_core, write_core


async def deposit(tx: Transaction, commands: Sequence[Deposit], now: datetime) -> list[Decided]:
    core = await read_core(
        tx, accounts={(command.province, command.psn_no) for command in commands}
    )
    decisions = [_decide(core, command) for command in commands]
    await write_core(tx, core, now)
    return decisions


def _decide(core: Core, command: Deposit) -> Decided:
    name = (command.province, command.psn_no)
    account = core.accounts.get(name)
    if account is None:
        return Decided(answer=NoAccount())
    if account.balance_fen + command.amount_fen > MOST_FEN:
        return Decided(answer=Invalid(f"no account holds more than {MOST_FEN} fen"))
    return Decided(
        answer=answer(200, shown(core.deposit(name, command.amount_fen, command.reference)))
    )


def shown(account: Account) -> dict[str, int]:
    return {
        "balance_fen": account.balance_fen,
        "frozen_fen": account.frozen_fen,
        "spendable_fen": account.spendable_fen,
    }
