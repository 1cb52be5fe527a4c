"""Record a registration: a province tells where somebody may be treated away from home (R26)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.transaction import Transaction
from relations.domain import record_registration as rules
from relations.domain.commands import RecordRegistration
from relations.domain.decisions import Decision
from relations.domain.registration import Registrations
from relations.store.persons import merged_among
from relations.store.registrations import registrations_of, write_registrations


async def record_registration(
    tx: Transaction, commands: Sequence[RecordRegistration], now: datetime
) -> list[Decision]:
    persons = {command.person_id for command in commands if command.person_id is not None}
    registrations = Registrations()
    registrations.read(await registrations_of(tx, sorted(persons)))
    merged = await merged_among(tx, sorted(persons))

    decisions = [rules.record_registration(registrations, command, merged) for command in commands]

    await write_registrations(tx, registrations.changed())
    return decisions
