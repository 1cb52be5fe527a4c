"""Ask kinship again: a province has kept silent about two who have consented (R13)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from relations.domain import kinship as rules
from relations.domain.commands import AskKinshipAgain
from relations.domain.decisions import Decision, entered_by
from relations.store.opening import open_people, open_relations_asked_about
from relations.store.relations import insert_relation_events, update_relations


async def ask_kinship_again(
    tx: Transaction, commands: Sequence[AskKinshipAgain], now: datetime
) -> list[Decision]:
    relations = await open_relations_asked_about(tx, [each.inquiry_id for each in commands])
    people = await open_people(tx, relations.persons())

    decisions = [rules.ask_kinship_again(people, relations, command, now) for command in commands]

    await update_relations(tx, relations.changed())
    await insert_relation_events(tx, entered_by(decisions))
    return decisions
