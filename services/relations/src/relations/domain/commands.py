"""Commands that come over Kafka: what provinces and the wallet tell, as relations takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from contracts.vocabulary import EnrolmentEnd, EnrolmentStatus, Insutype
from relations.domain.people import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEnrolment:
    """A province tells where a person is insured.

    `since` is the Beijing day from which it holds, `told_at` the province's own instant. Where
    `identity` is missing the number alone has to be enough. `person_id` is whose books the door
    has locked: found, or derived from the certificate; None where nobody is known.
    """

    province: str
    pool_admdvs: str
    psn_no: str
    insutype: Insutype
    status: EnrolmentStatus
    since: date
    told_at: datetime
    reason: EnrolmentEnd | None
    identity: Identity | None
    person_id: UUID | None = None
    relatives: frozenset[UUID] = frozenset()
    """Whose relations with the person an insurance may end: locked as well."""

    from_ahead: bool = False
    """Whether it was kept for its day, which has come."""

    @property
    def name(self) -> tuple[str, str, Insutype, date]:
        """Under which it is kept until its day."""
        return self.pool_admdvs, self.psn_no, self.insutype, self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRegistration:
    """A province tells where somebody may be treated away from home, both days included (R26)."""

    province: str
    psn_no: str
    mdtrtarea_admvs: str
    valid_from: date
    valid_to: date
    told_at: datetime
    person_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePersons:
    """A clerk has found that two persons are one; `relatives` of either are locked as well."""

    merged_id: UUID
    kept_id: UUID
    relatives: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyKinship:
    """Whether two are relatives: a province's answer, or a clerk's (no province) by proof (R13)."""

    inquiry_id: UUID
    province: str | None
    answer: Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskKinshipAgain:
    """A province has kept silent since it was asked for the `times`th time."""

    inquiry_id: UUID
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndLapsed:
    """No other scheme has followed the one that lapsed, by the deadline that the sweep saw."""

    relation_id: UUID
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateRelation:
    """The wallet has opened a quota for the relation: what both consented to is in force."""

    relation_id: UUID
    quota_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRelation:
    """The wallet has ended the relation's quota: nothing more can come of it."""

    relation_id: UUID
