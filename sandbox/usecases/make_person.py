"""Make a person: enrolled with their province, registered at Alar, and announced over Kafka."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, datetime
from uuid import uuid4

from contracts.events import EnrolmentChanged, RegistrationChanged, event
from contracts.topics import from_province
from contracts.vocabulary import Insutype
from kit.answers import answer
from kit.transaction import Transaction
from kit.work import Event, UseCase
from sandbox.domain.commands import ChangeEnrolment, ChangeRegistration, MakePerson
from sandbox.domain.core import Account, Entry, EntryKind
from sandbox.domain.decided import Decided, beijing_day
from sandbox.domain.people import DayIsFull, Person, made_up_birthday, made_up_person
from sandbox.domain.refusals import NumbersExhausted
from sandbox.domain.sealing import ProvinceKeys
from sandbox.store.core import write_opening
from sandbox.store.people import (
    count_people,
    taken_numbers,
    write_enrolment,
    write_person,
    write_registrations,
)

REGISTERED_AT = "659002"
REGISTERED_FOR_YEARS = 5
ENROLLED_SINCE = date(2020, 1, 1)


def make_person(keys: ProvinceKeys) -> UseCase:
    """The use case, sealing what it announces under the provinces' keys."""

    async def perform(
        tx: Transaction, commands: Sequence[MakePerson], now: datetime
    ) -> list[Decided]:
        return [await _make(tx, command, keys, now) for command in commands]

    return perform


async def _make(tx: Transaction, command: MakePerson, keys: ProvinceKeys, now: datetime) -> Decided:
    number = await count_people(tx) + 1
    chance = random.SystemRandom()
    today = beijing_day(now)
    born_on = command.born_on or made_up_birthday(today, retired=command.retired, chance=chance)
    try:
        person = made_up_person(
            number=number,
            province=command.province,
            insuplc_admdvs=command.insuplc_admdvs,
            insutype=command.insutype,
            born_on=born_on,
            retired=command.retired,
            taken=await taken_numbers(tx, born_on),
            chance=chance,
        )
    except DayIsFull:
        return Decided(answer=NumbersExhausted())
    balance_fen = command.balance_fen if command.insutype == Insutype.EMPLOYEE else 0

    enrolment = ChangeEnrolment(
        province=person.province,
        psn_no=person.psn_no,
        status="active",
        since=ENROLLED_SINCE,
        reason=None,
    )
    registration = ChangeRegistration(
        province=person.province,
        psn_no=person.psn_no,
        mdtrtarea_admvs=REGISTERED_AT,
        valid_from=today,
        valid_to=date(today.year + REGISTERED_FOR_YEARS, 12, 31),
    )
    await write_person(tx, person, number, now)
    await write_enrolment(tx, enrolment, now)
    await write_registrations(tx, [registration], now)
    if command.insutype == Insutype.EMPLOYEE:
        await _open_account(tx, person, balance_fen, now)

    content = {
        "psn_no": person.psn_no,
        "psn_cert_type": person.psn_cert_type,
        "cert_no": person.cert_no,
        "name": person.name,
        "insutype": person.insutype,
        "insuplc_admdvs": person.insuplc_admdvs,
        "balance_fen": balance_fen,
    }
    events = (enrolment_of(person, keys, enrolment), registration_of(registration))
    return Decided(answer=answer(201, content), events=events)


async def _open_account(tx: Transaction, person: Person, balance_fen: int, now: datetime) -> None:
    account = Account(
        province=person.province,
        psn_no=person.psn_no,
        pool_admdvs=person.insuplc_admdvs,
        balance_fen=balance_fen,
        frozen_fen=0,
    )
    opening = Entry(
        account=account.name, kind=EntryKind.OPENING, reference=uuid4(), balance_fen=balance_fen
    )
    await write_opening(tx, account, opening, now)


def enrolment_of(person: Person, keys: ProvinceKeys, change: ChangeEnrolment) -> Event:
    """`enrolment.changed`; number and name travel sealed."""
    body = EnrolmentChanged(
        psn_no=person.psn_no,
        insutype=person.insutype,
        pool_admdvs=person.insuplc_admdvs,
        status=change.status,
        since=change.since,
        reason=change.reason,
        psn_cert_type=person.psn_cert_type,
        sealed=keys.sealed(person),
        born_on=person.born_on,
    )
    return event(from_province(person.province), person.psn_no, person.psn_no, body)


def registration_of(registration: ChangeRegistration) -> Event:
    """`registration.changed`."""
    body = RegistrationChanged.model_validate(
        {
            "psn_no": registration.psn_no,
            "mdtrtarea_admvs": registration.mdtrtarea_admvs,
            "from": registration.valid_from,
            "to": registration.valid_to,
        }
    )
    topic = from_province(registration.province)
    return event(topic, registration.psn_no, registration.psn_no, body)
