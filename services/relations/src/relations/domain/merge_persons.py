"""The rule of a merge: two persons are one, and a link says so for ever.

merged-away   no longer insured; relations end, proposals are declined
kept          insured as both were; what it gives and is given is judged anew (R5)

Nothing is rewritten: payments, ended relations and history stay under the id they had. The quotas
of the one do not become the other's, because consent was given between persons (R3).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from contracts.vocabulary import RelationState
from kit.answers import answer
from kit.refusal import Invalid, NotFound, WrongState
from kit.work import Event
from policy.policy import Policy
from relations.domain.commands import MergePersons
from relations.domain.decisions import (
    NOTHING_NEW,
    RELATIVES_CHANGED,
    Decision,
    EnrolmentTold,
    StateEntered,
    refused,
)
from relations.domain.ending import MAY_END, end
from relations.domain.people import Enrolment, People, Person
from relations.domain.record_enrolment import all_locked, consequences, person_changed
from relations.domain.record_registration import registered
from relations.domain.registration import Registrations
from relations.domain.relation import Relations
from relations.domain.standing import Changes


def merge_persons(
    people: People,
    relations: Relations,
    registrations: Registrations,
    command: MergePersons,
    policy: Policy,
    *,
    now: datetime,
    today: date,
) -> Decision:
    """Link the one to the other, or refuse; the same again changes nothing.

    `today` is the Beijing day of `now`.
    """
    if command.merged_id == command.kept_id:
        return refused(Invalid("nobody is merged into themselves"))
    merged, kept = people.person(command.merged_id), people.person(command.kept_id)
    if merged is None or kept is None:
        return refused(NotFound("nobody has this id"))
    if merged.merged_into == kept.person_id:
        return NOTHING_NEW
    if merged.merged_into is not None or kept.merged_into is not None:
        return refused(WrongState("one of them has been merged into somebody else"))
    if not (all_locked(people, relations, merged) and all_locked(people, relations, kept)):
        return RELATIVES_CHANGED

    gone, versions = merged.merging_into(kept), _versions(kept, merged)
    stays = versions[-1][0]
    people.put(gone)
    people.put(stays)
    ended = _ended(relations, gone, now=now, today=today)
    judged = consequences(people, relations, stays, policy, now=now, today=today)
    return Decision(
        answer=answer(200, {}),
        events=(
            person_changed(gone),
            # One command brings somebody to several versions: each is an event of its own.
            *(person_changed(each, f"{each.person_id}/{each.version}") for each, _ in versions),
            *_registered(registrations, gone, stays),
            *ended[1],
            *judged[1],
        ),
        entered=(*ended[0], *judged[0]),
        told=tuple(
            EnrolmentTold(person_id=each.person_id, version=each.version, enrolment=enrolment)
            for each, enrolment in versions
        ),
    )


def _versions(kept: Person, merged: Person) -> list[tuple[Person, Enrolment]]:
    """The kept one with one enrolment more each time, as if a province had told it."""
    versions = []
    for enrolment in merged.enrolments:
        assert kept.enrolment(enrolment.name) is None, "a number is one person's"
        kept = kept.insured_by(enrolment, kept.identity)
        versions.append((kept, enrolment))
    return versions


def _ended(relations: Relations, gone: Person, *, now: datetime, today: date) -> Changes:
    entered: list[StateEntered] = []
    told: list[Event] = []
    for relation in sorted(relations.of_person(gone.person_id), key=lambda each: each.relation_id):
        if relation.state is RelationState.PROPOSED:
            declined = relation.entering(RelationState.DECLINED, now)
            relations.put(declined)
            entered.append(StateEntered(relation=declined, actor_id=None, happened_at=now))
        elif relation.state in MAY_END:
            ending, events = end(relations, relation, "merged", since=today, actor_id=None, now=now)
            entered.append(ending)
            told += events
    return tuple(entered), tuple(told)


def _registered(registrations: Registrations, gone: Person, stays: Person) -> Sequence[Event]:
    """Where the one may be treated the other may, unless something newer is known (R26)."""
    told = []
    for theirs in registrations.of_person(gone.person_id):
        own = registrations.of(stays.person_id, theirs.mdtrtarea_admvs)
        if own is not None and own.told_at >= theirs.told_at:
            continue
        taken = theirs.taken_over_by(stays.person_id, own)
        registrations.put(taken)
        told.append(registered(taken, f"{stays.person_id}/{taken.mdtrtarea_admvs}"))
    return told
