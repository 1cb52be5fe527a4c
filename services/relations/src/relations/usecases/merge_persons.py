"""Merge persons: a clerk has found that two are one (the same human under two certificates).

merged-away   their relations end, and nobody is found as them any more
kept          is who their certificate and numbers mean; has their enrolments and registrations
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from policy.calendar import beijing_day
from policy.policy import Policy
from relations.domain import merge_persons as rules
from relations.domain.border import told_to_provinces
from relations.domain.commands import MergePersons
from relations.domain.decisions import Decision, entered_by
from relations.domain.registration import Registrations
from relations.store.opening import open_people, open_unended_relations
from relations.store.persons import (
    insert_enrolment_events,
    insert_merges,
    persons_by_id,
    update_persons,
    write_enrolments,
)
from relations.store.registrations import registrations_of, write_registrations
from relations.store.relations import insert_relation_events, update_relations


async def merge_persons(
    tx: Transaction, commands: Sequence[MergePersons], now: datetime, *, policy: Policy
) -> list[Decision]:
    # One by one: who was kept by the first may be merged away by the next.
    return [await _merge(tx, command, now, policy) for command in commands]


async def _merge(tx: Transaction, command: MergePersons, now: datetime, policy: Policy) -> Decision:
    both = sorted({command.merged_id, command.kept_id})
    people = await open_people(tx, both, locked={*both, *command.relatives})
    relations = await open_unended_relations(tx, both)
    people.read(await persons_by_id(tx, sorted(relations.persons() - people.known())), {})
    registrations = Registrations()
    registrations.read(await registrations_of(tx, both))

    today = beijing_day(now)
    decision = rules.merge_persons(
        people, relations, registrations, command, policy, now=now, today=today
    )

    await update_persons(tx, people.changed(), now)
    await insert_merges(tx, people.merged(), now)
    await write_enrolments(tx, people.changed_enrolments())
    await insert_enrolment_events(tx, decision.told, now)
    await write_registrations(tx, registrations.changed())
    await update_relations(tx, relations.changed())
    await insert_relation_events(tx, entered_by([decision]))
    [told] = told_to_provinces(people, [decision], policy, today)
    return told
