"""Close a relation: the wallet has ended its quota, so it is over for good.

ending --quota.ended--> ended
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.calendar import beijing_day
from policy.policy import Policy
from relations.domain import close_relation as rules
from relations.domain.border import told_to_provinces
from relations.domain.commands import CloseRelation
from relations.domain.decisions import Decision, entered_by
from relations.store.opening import open_people, open_relations
from relations.store.relations import insert_relation_events, update_relations


async def close_relation(
    tx: Transaction, commands: Sequence[CloseRelation], now: datetime, *, policy: Policy
) -> list[Decision]:
    relations = await open_relations(tx, [command.relation_id for command in commands])
    people = await open_people(tx, relations.persons())

    decisions = [rules.close_relation(relations, command, now) for command in commands]

    await update_relations(tx, relations.changed())
    await insert_relation_events(tx, entered_by(decisions))
    return told_to_provinces(people, decisions, policy, beijing_day(now))
