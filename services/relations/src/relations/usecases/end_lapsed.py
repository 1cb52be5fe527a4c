"""End lapsed: a beneficiary's scheme ended and no other of the same area followed in time.

suspended --deadline--> ending
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from relations.domain import end_lapsed as rules
from relations.domain.commands import EndLapsed
from relations.domain.decisions import Decision, entered_by
from relations.store.opening import open_relations
from relations.store.relations import insert_relation_events, update_relations


async def end_lapsed(
    tx: Transaction, commands: Sequence[EndLapsed], now: datetime
) -> list[Decision]:
    relations = await open_relations(tx, [command.relation_id for command in commands])

    decisions = [rules.end_lapsed(relations, command, now) for command in commands]

    await update_relations(tx, relations.changed())
    await insert_relation_events(tx, entered_by(decisions))
    return decisions
