"""Confirm a relation: the one who was asked consents, and the wallet is to apply it.

proposed --consent of the other--> activating
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import ConfirmRelation
from kit.transaction import Transaction
from policy.calendar import beijing_day
from policy.policy import Policy
from relations.domain import confirm_relation as rules
from relations.domain.decisions import Decision, entered_by
from relations.store.opening import open_guardians, open_people, open_relations
from relations.store.relations import insert_relation_events, update_relations


async def confirm_relation(
    tx: Transaction, commands: Sequence[ConfirmRelation], now: datetime, *, policy: Policy
) -> list[Decision]:
    relations = await open_relations(tx, [command.relation_id for command in commands])
    people = await open_people(tx, relations.persons())
    await open_guardians(tx, people, relations, [command.guardian_id for command in commands])

    today = beijing_day(now)
    decisions = [
        rules.confirm_relation(
            people, relations, command, policy, now=now, today=today, new_id=tx.new_id
        )
        for command in commands
    ]

    await update_relations(tx, relations.changed())
    await insert_relation_events(tx, entered_by(decisions))
    return decisions
