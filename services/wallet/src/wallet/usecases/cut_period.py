"""Cut period: from now on nothing falls into the month any more (R15, R33).

The door of this use case has the cut's lock alone: whoever has written before has committed, and
whoever writes after reads the month that was cut. No book changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.calendar import beijing_month
from wallet.domain import cut_period as rules
from wallet.domain.commands import CutPeriod
from wallet.domain.cut_period import Cutting
from wallet.store.periods import insert_cut, move_last_cut


async def cut_period(
    tx: Transaction, commands: Sequence[CutPeriod], now: datetime
) -> list[Cutting]:
    last_cut: str = tx.context
    decisions = []
    for command in commands:
        decision = rules.cut_period(last_cut, beijing_month(now), command)
        last_cut = decision.period or last_cut
        decisions.append(decision)

    for decision in decisions:
        if decision.period is not None:
            await insert_cut(tx, decision.period, now)
    await move_last_cut(tx, tx.context, last_cut)
    return decisions
