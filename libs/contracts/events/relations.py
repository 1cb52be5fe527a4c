"""What relations tells."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from contracts.events.base import Told
from contracts.vocabulary import Admdvs, Fact, PsnNo, RelationEnd


class RelatedPerson(Fact):
    person_id: UUID
    psn_no: PsnNo
    pool_admdvs: Admdvs


class RelationActivated(Told):
    """Both consented; `sharer` is the employee enrolment whose account gives."""

    TYPE = "relation.activated.v1"
    relation_id: UUID
    kind: str
    sharer: RelatedPerson
    beneficiary: RelatedPerson
    activated_at: datetime


class RelationSuspended(Told):
    """An insurance is suspended: nothing new may be held or paid, what is held lives on (R5)."""

    TYPE = "relation.suspended.v1"
    relation_id: UUID
    sharer_id: UUID
    beneficiary_id: UUID
    suspended_at: datetime


class RelationResumed(Told):
    """Both are insured again as they were."""

    TYPE = "relation.resumed.v1"
    relation_id: UUID
    sharer_id: UUID
    beneficiary_id: UUID
    resumed_at: datetime


class RelationEnded(Told):
    """By will or by an insurance that ended; `since` is the Beijing day it may be dated back to."""

    TYPE = "relation.ended.v1"
    relation_id: UUID
    sharer_id: UUID
    beneficiary_id: UUID
    reason: RelationEnd
    since: date
    ended_at: datetime


class PersonRegistered(Told):
    """A person may be treated in an area from one Beijing day to another, both included (R26).

    What was told last of an area holds; days that lie in the past take it back.
    """

    TYPE = "person.registered.v1"
    person_id: UUID
    mdtrtarea_admvs: Admdvs
    valid_from: date
    valid_to: date


class PersonChanged(Told):
    """Eligibility and pool of a person; `version` grows with every change."""

    TYPE = "person.changed.v1"
    person_id: UUID
    version: int
    psn_no: PsnNo
    pool_admdvs: Admdvs
    insutype: str
    insured: bool


FROM_RELATIONS: tuple[type[Told], ...] = (
    RelationActivated,
    RelationSuspended,
    RelationResumed,
    RelationEnded,
    PersonChanged,
    PersonRegistered,
)
