"""Activate a relation: the wallet has opened a quota, so what both consented to is in force.

activating --quota.opened--> active
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.calendar import beijing_day
from policy.policy import Policy
from relations.domain import activate_relation as rules
from relations.domain.border import told_to_provinces
from relations.domain.commands import ActivateRelation
from relations.domain.decisions import Decision, entered_by
from relations.store.opening import open_people, open_relations
from relations.store.relations import insert_relation_events, update_relations


async def activate_relation(
    tx: Transaction, commands: Sequence[ActivateRelation], now: datetime, *, policy: Policy
) -> list[Decision]:
    relations = await open_relations(tx, [command.relation_id for command in commands])
    people = await open_people(tx, relations.persons())

    today = beijing_day(now)
    decisions = [
        rules.activate_relation(people, relations, command, policy, now=now, today=today)
        for command in commands
    ]

    await update_relations(tx, relations.changed())
    await insert_relation_events(tx, entered_by(decisions))
    return told_to_provinces(people, decisions, policy, today)
