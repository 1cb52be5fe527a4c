"""Record an enrolment: a province tells where a person is insured.

nobody known -> person, under a certificate of their own
newer        -> the person's next version, told on; relations end, are suspended or resumed
for later    -> kept until its day
known, older -> nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.calendar import beijing_day
from policy.policy import Policy
from relations.domain import record_enrolment as rules
from relations.domain.border import told_to_provinces
from relations.domain.commands import RecordEnrolment
from relations.domain.decisions import RELATIVES_CHANGED, Decision, entered_by
from relations.store.ahead import keep_for_their_day, note_their_day
from relations.store.opening import open_living_relations, open_people
from relations.store.persons import (
    insert_enrolment_events,
    insert_numbers,
    insert_persons,
    persons_by_id,
    update_persons,
    write_enrolments,
)
from relations.store.relations import insert_relation_events, update_relations


async def record_enrolment(
    tx: Transaction, commands: Sequence[RecordEnrolment], now: datetime, *, policy: Policy
) -> list[Decision]:
    persons = {command.person_id for command in commands if command.person_id is not None}
    people = await open_people(
        tx,
        persons,
        locked={*persons, *(relative for each in commands for relative in each.relatives)},
        blind_indexes={each.identity.blind_index for each in commands if each.identity},
        numbers={(each.pool_admdvs, each.psn_no) for each in commands},
    )
    relations = await open_living_relations(tx, persons)
    people.read(await persons_by_id(tx, sorted(relations.persons() - people.known())), {})

    today = beijing_day(now)
    decisions = [
        rules.record_enrolment(people, relations, command, policy, now=now, today=today)
        for command in commands
    ]

    await insert_persons(tx, people.new(), now)
    await update_persons(tx, people.changed(), now)
    await insert_numbers(tx, people.new_numbers())
    await write_enrolments(tx, people.changed_enrolments())
    await insert_enrolment_events(tx, [told for each in decisions for told in each.told], now)
    await update_relations(tx, relations.changed())
    await insert_relation_events(tx, entered_by(decisions))
    await keep_for_their_day(tx, [each.ahead for each in decisions if each.ahead])
    await note_their_day(tx, _days_come(commands, decisions))
    return told_to_provinces(people, decisions, policy, today)


def _days_come(
    commands: Sequence[RecordEnrolment], decisions: Sequence[Decision]
) -> list[tuple[RecordEnrolment, str]]:
    """What became of those that were kept for their day."""
    return [
        (command, rules.outcome_of(decision))
        for command, decision in zip(commands, decisions, strict=True)
        if command.from_ahead and decision is not RELATIVES_CHANGED
    ]
