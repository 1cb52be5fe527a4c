"""Record top up: a province deposited more with another one (R16)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from settlement.domain import record_top_up as rules
from settlement.domain.commands import RecordTopUp
from settlement.domain.decisions import Decision, telling
from settlement.domain.prefund import ThresholdsOf
from settlement.store.opening import open_books, open_prefunds
from settlement.store.prefunds import known_top_ups, write_prefunds
from settlement.store.writing import write


async def record_top_up(
    tx: Transaction, commands: Sequence[RecordTopUp], now: datetime, *, thresholds_of: ThresholdsOf
) -> list[Decision]:
    books = await open_books(tx, now)
    books.known = await known_top_ups(tx, {command.top_up_id for command in commands})

    decisions = [rules.record_top_up(books, command) for command in commands]
    top_ups = [given.top_up for given in decisions if given.top_up is not None]
    prefunds = await open_prefunds(tx, now, thresholds_of, {each.pair for each in top_ups})
    for each in top_ups:
        prefunds.deposit(each.pair, each.amount)
    changed = prefunds.changed()

    await write(tx, decisions, books)
    await write_prefunds(tx, changed)
    return telling(decisions, prefunds.told(changed))
