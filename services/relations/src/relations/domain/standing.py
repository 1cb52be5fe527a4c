"""What becomes of a relation when an insurance changes on which it rests (R5, R34-R36).

either of them          deceased                  the relation ends
the sharer's account    ended, moved              the relation ends
                        suspended                 the relation is suspended
the beneficiary         moved                     the relation ends
                        suspended                 the relation is suspended
                        a scheme ended            suspended, until another one of the same area
                                                  follows without a gap, or it ends
both as they were                                 the relation is resumed
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from contracts import events, topics
from contracts.vocabulary import Insutype, RelationEnd, RelationState
from kit.work import Event
from policy.policy import Policy
from relations.domain.decisions import StateEntered
from relations.domain.ending import MAY_END, end
from relations.domain.people import SHARED_WITH, Enrolment, People, Person
from relations.domain.relation import Relation, Relations

GONE = ("ended", "moved")

NO_GAP = timedelta(days=1)
"""The next scheme begins on the day on which the last one ended, or on the day after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """An insurance is gone for good, since a Beijing day."""

    reason: RelationEnd
    since: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapsed:
    """The beneficiary's scheme ended on that Beijing day; another one may follow."""

    since: date


@dataclass(frozen=True, slots=True)
class Suspended:
    """Nothing may be used for the time being."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Both are insured as they were."""


Standing = Over | Lapsed | Suspended | Sound

Changes = tuple[tuple[StateEntered, ...], tuple[Event, ...]]
"""States that were entered and what is to be told of them."""

NOTHING: Changes = ((), ())


def standing_of(relation: Relation, sharer: Person, beneficiary: Person) -> Standing:
    """How the two insurances stand on which a relation rests."""
    died = _death(sharer) or _death(beneficiary)
    if died is not None:
        return Over(reason="deceased", since=died.since)
    account = (Insutype.EMPLOYEE, relation.sharer_pool_admdvs, relation.sharer_psn_no)
    giving = sharer.enrolment(account)
    assert giving is not None, "a relation rests on an account of the sharer"
    if giving.status in GONE:
        return Over(reason=_reason(giving), since=giving.since)
    received = _standing_of_the_beneficiary(relation, beneficiary)
    return Suspended() if giving.status == "suspended" and received == Sound() else received


def _standing_of_the_beneficiary(relation: Relation, beneficiary: Person) -> Standing:
    received = _received(relation, beneficiary)
    if all(each.status in GONE for each in received):
        last = max(received, key=lambda each: (each.since, each.told_at))
        if _reason(last) == "moved":
            return Over(reason="moved", since=last.since)
        return Lapsed(since=last.since)
    if relation.lapsed_on is not None and _left_a_gap(relation.lapsed_on, received):
        return Over(reason="ended", since=relation.lapsed_on)
    return Sound() if any(each.status == "active" for each in received) else Suspended()


def _received(relation: Relation, beneficiary: Person) -> Collection[Enrolment]:
    found = [
        each
        for each in beneficiary.enrolments
        if each.insutype in SHARED_WITH and each.pool_admdvs == relation.beneficiary_pool_admdvs
    ]
    assert found, "a relation rests on an insurance of the beneficiary"
    return found


def _death(person: Person) -> Enrolment | None:
    """Whoever told of it: nobody dies in one scheme alone (R36)."""
    told = (each for each in person.enrolments if each.reason == "deceased")
    return next((each for each in told if each.status in GONE), None)


def _reason(enrolment: Enrolment) -> RelationEnd:
    return "moved" if "moved" in (enrolment.status, enrolment.reason) else "ended"


def _left_a_gap(lapsed_on: date, received: Collection[Enrolment]) -> bool:
    going_on = [each.since for each in received if each.status not in GONE]
    return min(going_on) > lapsed_on + NO_GAP


def judge_by(
    people: People,
    relations: Relations,
    relation: Relation,
    policy: Policy,
    *,
    now: datetime,
    today: date,
) -> Changes:
    """`judge` with both persons of the batch, and the patience of the beneficiary's area."""
    sharer, beneficiary = people.person(relation.sharer_id), people.person(relation.beneficiary_id)
    assert sharer is not None
    assert beneficiary is not None
    seconds = policy.at(relation.beneficiary_pool_admdvs, today).scheme_change_seconds
    patience = timedelta(seconds=seconds)
    return judge(relations, relation, sharer, beneficiary, now=now, patience=patience)


def judge(
    relations: Relations,
    relation: Relation,
    sharer: Person,
    beneficiary: Person,
    *,
    now: datetime,
    patience: timedelta,
) -> Changes:
    """Bring a relation to where its insurances have it; `patience` is for a scheme that lapsed."""
    if relation.state not in MAY_END:
        return NOTHING
    match standing_of(relation, sharer, beneficiary):
        case Over(reason=reason, since=since):
            entered, told = end(relations, relation, reason, since=since, actor_id=None, now=now)
            return (entered,), told
        case _ if relation.state is RelationState.ACTIVATING:
            return NOTHING  # The wallet opens its quota first; then it is judged again.
        case Lapsed(since=since):
            return _lapse(relations, relation, since, now=now, patience=patience)
        case Suspended():
            return _suspend(relations, relation, now)
        case Sound():
            return _resume(relations, relation, now)


def _lapse(
    relations: Relations, relation: Relation, since: date, *, now: datetime, patience: timedelta
) -> Changes:
    if relation.lapsed_on is not None:
        return NOTHING
    changes = _suspend(relations, relation, now)
    suspended = relations.relation(relation.relation_id)
    assert suspended is not None
    relations.put(suspended.lapsing(since, now + patience))
    return changes


def _suspend(relations: Relations, relation: Relation, now: datetime) -> Changes:
    if relation.state is RelationState.SUSPENDED:
        relations.put(relation.no_longer_lapsing())
        return NOTHING
    suspended = relation.entering(RelationState.SUSPENDED, now)
    relations.put(suspended)
    body = events.RelationSuspended(
        relation_id=relation.relation_id,
        sharer_id=relation.sharer_id,
        beneficiary_id=relation.beneficiary_id,
        suspended_at=now,
    )
    return _changes(suspended, body, now)


def _resume(relations: Relations, relation: Relation, now: datetime) -> Changes:
    if relation.state is RelationState.ACTIVE:
        return NOTHING
    active = relation.entering(RelationState.ACTIVE, now)
    relations.put(active)
    body = events.RelationResumed(
        relation_id=relation.relation_id,
        sharer_id=relation.sharer_id,
        beneficiary_id=relation.beneficiary_id,
        resumed_at=now,
    )
    return _changes(active, body, now)


def _changes(relation: Relation, body: events.Told, now: datetime) -> Changes:
    told = events.event(topics.RELATION, relation.beneficiary_id, relation.relation_id, body)
    return (StateEntered(relation=relation, actor_id=None, happened_at=now),), (told,)
