"""Record transfer: a province paid, all it owes another for a month or a part of it (R15, R16)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from settlement.domain import record_transfer as rules
from settlement.domain.commands import RecordTransfer
from settlement.domain.decisions import Decision, telling
from settlement.domain.prefund import ThresholdsOf
from settlement.store.months import known_transfers
from settlement.store.opening import open_books, open_prefunds
from settlement.store.prefunds import write_prefunds
from settlement.store.writing import write


async def record_transfer(
    tx: Transaction,
    commands: Sequence[RecordTransfer],
    now: datetime,
    *,
    thresholds_of: ThresholdsOf,
) -> list[Decision]:
    books = await open_books(tx, now, {command.period for command in commands})
    books.known = await known_transfers(tx, {command.transfer_id for command in commands})

    decisions = [rules.record_transfer(books, command) for command in commands]
    pairs = {pair for given in decisions for pair in given.used}
    prefunds = await open_prefunds(tx, now, thresholds_of, pairs)
    for given in decisions:
        prefunds.use(given.used)
    changed = prefunds.changed()

    await write(tx, decisions, books)
    await write_prefunds(tx, changed)
    return telling(decisions, prefunds.told(changed))
