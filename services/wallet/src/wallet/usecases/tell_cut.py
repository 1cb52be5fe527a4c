"""Tell cut: what a month that was cut adds up to is published, for settlement to prove (R15).

Its totals were read before: nothing of that month can change any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from wallet.domain import tell_cut as rules
from wallet.domain.commands import TellCut
from wallet.domain.tell_cut import Telling
from wallet.store.periods import cuts_of, note_told


async def tell_cut(tx: Transaction, commands: Sequence[TellCut], now: datetime) -> list[Telling]:
    cuts = await cuts_of(tx, [command.period for command in commands])

    decisions = [rules.tell_cut(cuts.get(command.period), command) for command in commands]

    told = [decision.period for decision in decisions if decision.period is not None]
    await note_told(tx, told, now)
    return decisions
