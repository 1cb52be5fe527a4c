"""Propose a relation: one of two persons wants to give, or to be given; the other is asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.commands import ProposeRelation
from contracts.vocabulary import Role
from kit.transaction import Transaction
from policy.calendar import beijing_day
from policy.policy import Policy
from relations.domain import propose_relation as rules
from relations.domain.decisions import Decision, entered_by
from relations.store.opening import also_open, open_people, open_relations_given
from relations.store.relations import insert_relation_events, insert_relations


async def propose_relation(
    tx: Transaction, commands: Sequence[ProposeRelation], now: datetime, *, policy: Policy
) -> list[Decision]:
    sharers = [
        each.proposer_id if each.role is Role.SHARER else each.counterpart_id for each in commands
    ]
    people = await open_people(
        tx, {person for each in commands for person in (each.proposer_id, each.counterpart_id)}
    )
    guardians = [each.guardian_id for each in commands if each.guardian_id is not None]
    relations = await open_relations_given(tx, [*sharers, *guardians])
    await also_open(tx, people, guardians)

    today = beijing_day(now)
    decisions = [
        rules.propose_relation(
            people, relations, command, policy, now=now, today=today, new_id=tx.new_id
        )
        for command in commands
    ]

    await insert_relations(tx, relations.new())
    await insert_relation_events(tx, entered_by(decisions))
    return decisions
