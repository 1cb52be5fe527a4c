"""The rule of an enrolment told by a province: what is newer holds, what is known changes nothing.

told before, or older than what is known    nothing
for a day to come                           kept until that day
newer                                       the person's next version, told on, and what follows
                                            from it for the person's relations (R5)
"""

from __future__ import annotations

from datetime import date, datetime

import orjson

from contracts import events, topics
from kit.answers import Answer, answer
from kit.work import Event
from policy.policy import Policy
from relations.domain.commands import RecordEnrolment
from relations.domain.decisions import (
    NOTHING_NEW,
    RELATIVES_CHANGED,
    Decision,
    EnrolmentTold,
    StateEntered,
    Unheard,
    unheard,
)
from relations.domain.people import Enrolment, Identity, Number, People, Person
from relations.domain.relation import Relations
from relations.domain.standing import Changes, judge_by


def record_enrolment(
    people: People,
    relations: Relations,
    command: RecordEnrolment,
    policy: Policy,
    *,
    now: datetime,
    today: date,
) -> Decision:
    """The person's next version and `person.changed`, or nothing. `today` is Beijing's.

    What cannot be taken in is parked under the name of the reason.
    """
    if _merged_meanwhile(people, command):
        return RELATIVES_CHANGED
    person = _person_meant(people, command)
    reason = _unheard(people, command, person)
    if reason is not None:
        return unheard(reason)
    if command.since > today:
        return Decision(answer=answer(200, {}), ahead=command)
    if person is not None and not all_locked(people, relations, person):
        return RELATIVES_CHANGED

    if person is None:
        person = _new_person(command)
    enrolment = _enrolment_of(command)
    identity = _newest(person.identity, command.identity)
    if _is_known(people, person, enrolment, identity):
        return NOTHING_NEW
    changed = person.insured_by(enrolment, identity)
    people.put(changed)
    people.name(_number_of(command, changed))
    entered, told = consequences(people, relations, changed, policy, now=now, today=today)
    return Decision(
        answer=answer(200, {}),
        events=(person_changed(changed), *told),
        entered=entered,
        told=(
            EnrolmentTold(
                person_id=changed.person_id, version=changed.version, enrolment=enrolment
            ),
        ),
    )


def _is_known(people: People, person: Person, enrolment: Enrolment, identity: Identity) -> bool:
    """Whether it is older than what is known, or says nothing new but when it was told."""
    before = person.enrolment(enrolment.name)
    if before is None:
        return False
    if not enrolment.is_newer_than(before):
        return True
    if not enrolment.says_the_same_as(before) or identity is not person.identity:
        return False
    people.put(person.told_again(enrolment))
    return True


def _person_meant(people: People, command: RecordEnrolment) -> Person | None:
    if command.identity is not None:
        return people.of_certificate(command.identity.blind_index)
    if command.person_id is not None:
        return people.person(command.person_id)
    return people.of_number(command.pool_admdvs, command.psn_no)


def _merged_meanwhile(people: People, command: RecordEnrolment) -> bool:
    """Whether the one whose lock is held was merged into somebody else before it was had."""
    found = None if command.person_id is None else people.person(command.person_id)
    return found is not None and found.merged_into is not None


def all_locked(people: People, relations: Relations, person: Person) -> bool:
    """Whether nobody became a relative after it was looked up whom to lock."""
    others = (each.other_than(person.person_id) for each in relations.of_person(person.person_id))
    return all(other in people.locked for other in others)


def consequences(
    people: People,
    relations: Relations,
    changed: Person,
    policy: Policy,
    *,
    now: datetime,
    today: date,
) -> Changes:
    """What becomes of a person's relations once their insurances are these (R5)."""
    entered: list[StateEntered] = []
    told: list[Event] = []
    for relation in sorted(
        relations.of_person(changed.person_id), key=lambda each: each.relation_id
    ):
        changes = judge_by(people, relations, relation, policy, now=now, today=today)
        entered += changes[0]
        told += changes[1]
    return tuple(entered), tuple(told)


def _unheard(people: People, command: RecordEnrolment, person: Person | None) -> Unheard | None:
    if person is None and command.identity is None:
        return Unheard.UNKNOWN_PERSON
    if person is not None and person.person_id not in people.locked:
        # Became known while this waited for the lock of a number; a redrive finds them.
        return Unheard.UNKNOWN_PERSON
    holder = people.of_number(command.pool_admdvs, command.psn_no)
    if holder is not None and holder is not person:
        return Unheard.NUMBER_OF_ANOTHER
    return None


def _new_person(command: RecordEnrolment) -> Person:
    assert command.identity is not None
    assert command.person_id is not None
    return Person(person_id=command.person_id, version=0, identity=command.identity, enrolments=())


def _number_of(command: RecordEnrolment, person: Person) -> Number:
    return Number(
        pool_admdvs=command.pool_admdvs,
        psn_no=command.psn_no,
        province=command.province,
        person_id=person.person_id,
    )


def _enrolment_of(command: RecordEnrolment) -> Enrolment:
    return Enrolment(
        insutype=command.insutype,
        pool_admdvs=command.pool_admdvs,
        psn_no=command.psn_no,
        status=command.status,
        since=command.since,
        told_at=command.told_at,
        reason=command.reason,
    )


def _newest(known: Identity, told: Identity | None) -> Identity:
    """A corrected name replaces the old one; the same name sealed anew does not.

    Nor does the certificate of somebody who was merged into the person.
    """
    if told is None or told.blind_index != known.blind_index:
        return known
    if (told.name_index, told.born_on) == (known.name_index, known.born_on):
        return known
    return told


def person_changed(person: Person, subject: str | None = None) -> Event:
    """`person.changed`; who was merged away is insured no more under that id."""
    primary = person.primary
    body = events.PersonChanged(
        person_id=person.person_id,
        version=person.version,
        psn_no=primary.psn_no,
        pool_admdvs=primary.pool_admdvs,
        insutype=primary.insutype,
        insured=primary.insured and person.merged_into is None,
    )
    return events.event(topics.PERSON, person.person_id, subject or person.person_id, body)


def outcome_of(decision: Decision) -> str:
    """In a word, what became of an enrolment that was kept for its day."""
    assert isinstance(decision.answer, Answer)
    if decision.answer.status < 400:
        return "recorded"
    return str(orjson.loads(decision.answer.body)["reason"])
