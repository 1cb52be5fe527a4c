"""Decline a relation: the one who was asked says no, or the one who asked takes it back.

proposed --will of either--> declined
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import DeclineRelation
from kit.transaction import Transaction
from policy.calendar import beijing_day
from policy.policy import Policy
from relations.domain import decline_relation as rules
from relations.domain.decisions import Decision, entered_by
from relations.store.opening import open_guardians, open_people, open_relations
from relations.store.relations import insert_relation_events, update_relations


async def decline_relation(
    tx: Transaction, commands: Sequence[DeclineRelation], now: datetime, *, policy: Policy
) -> list[Decision]:
    relations = await open_relations(tx, [command.relation_id for command in commands])
    people = await open_people(tx, relations.persons())
    await open_guardians(tx, people, relations, [command.guardian_id for command in commands])

    today = beijing_day(now)
    decisions = [
        rules.decline_relation(people, relations, command, policy, now=now, today=today)
        for command in commands
    ]

    await update_relations(tx, relations.changed())
    await insert_relation_events(tx, entered_by(decisions))
    return decisions
