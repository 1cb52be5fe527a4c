"""Record line: a payment was captured, or given back: each sharer's pool owes that much (R15).

The lines of a batch are added one by one; their totals, and what is used of prefunds, are folded
first and written once. A payment told twice has its position, and so is not recorded twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from kit.transaction import Transaction
from settlement.domain import record_line as rules
from settlement.domain.commands import RecordLine
from settlement.domain.decisions import Decision, telling
from settlement.domain.folded import folded, received, used
from settlement.domain.prefund import ThresholdsOf
from settlement.store.lines import captured_periods, insert_lines
from settlement.store.months import balanced_of
from settlement.store.opening import open_prefunds
from settlement.store.prefunds import write_prefunds
from settlement.store.totals import add_received, add_totals


async def record_line(
    tx: Transaction,
    commands: Sequence[RecordLine],
    now: datetime,
    *,
    province_of: Callable[[str, date], str],
    thresholds_of: ThresholdsOf,
) -> list[Decision]:
    opposite = {command.payment.payment_id for command in commands if not command.is_capture}
    recording = rules.Recording(
        now=now,
        balanced=await balanced_of(tx, {command.payment.period for command in commands}),
        province_of=province_of,
        captured=await captured_periods(tx, opposite) if opposite else {},
    )

    decisions = [rules.record_line(recording, command) for command in commands]
    totals = folded(line for given in decisions for line in given.lines)
    pairs = used(totals)
    prefunds = await open_prefunds(tx, now, thresholds_of, pairs)
    prefunds.use(pairs)
    changed = prefunds.changed()

    await insert_lines(tx, [line for given in decisions for line in given.lines])
    await add_totals(tx, totals)
    await add_received(tx, received(totals))
    await write_prefunds(tx, changed)

    return telling(decisions, prefunds.told(changed))
