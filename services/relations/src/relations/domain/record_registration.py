"""The rule of a registration told by a province: what was told last of an area holds (R26)."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from contracts import events, topics
from kit.answers import answer
from kit.work import Event
from relations.domain.commands import RecordRegistration
from relations.domain.decisions import (
    NOTHING_NEW,
    RELATIVES_CHANGED,
    Decision,
    Unheard,
    unheard,
)
from relations.domain.registration import Registration, Registrations


def record_registration(
    registrations: Registrations, command: RecordRegistration, merged: Collection[UUID]
) -> Decision:
    """`person.registered` for the wallet, or nothing where it is known or older.

    A number that nobody, or more than one, has in the province is parked. Who is among `merged`
    turned out to be somebody else before their lock was had.
    """
    if command.person_id is None:
        return unheard(Unheard.UNKNOWN_PERSON)
    if command.person_id in merged:
        return RELATIVES_CHANGED
    before = registrations.of(command.person_id, command.mdtrtarea_admvs)
    if before is not None and before.told_at >= command.told_at:
        return NOTHING_NEW
    told = Registration(
        person_id=command.person_id,
        mdtrtarea_admvs=command.mdtrtarea_admvs,
        valid_from=command.valid_from,
        valid_to=command.valid_to,
        told_at=command.told_at,
        times_told=1 if before is None else before.times_told + 1,
    )
    registrations.put(told)
    return Decision(answer=answer(200, {}), events=(registered(told, str(told.person_id)),))


def registered(told: Registration, subject: str) -> Event:
    """`person.registered` for the wallet."""
    body = events.PersonRegistered(
        person_id=told.person_id,
        mdtrtarea_admvs=told.mdtrtarea_admvs,
        valid_from=told.valid_from,
        valid_to=told.valid_to,
    )
    return events.event(topics.PERSON, told.person_id, subject, body)
