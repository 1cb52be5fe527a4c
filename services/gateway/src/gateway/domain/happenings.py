"""What other rooms told of relations, quotas and payments, as lists and timelines need it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from contracts.vocabulary import PaymentState, QuotaState, RelationState


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something on one person's timeline; `at` is an instant in UTC, `amount` fen."""

    person_id: UUID
    event_id: UUID
    at: datetime
    type: str
    state: str
    relation_id: UUID | None = None
    quota_id: UUID | None = None
    payment_id: UUID | None = None
    amount: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAmount:
    """What a quota gave to a payment, or got back, on a Beijing day; never what was bought."""

    quota_id: UUID
    event_id: UUID
    on_day: date
    type: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPayment:
    """A payment and the institution in whose list it stands, under the Beijing day of `held_at`."""

    payment_id: UUID
    institution: str
    business_date: date
    held_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPayment:
    """Something became of a payment; `listed` where it is told of for the first time."""

    happening: Happening
    shares: tuple[SharedAmount, ...]
    listed: ListedPayment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownQuota:
    """Whose quota it is, and for whom."""

    quota_id: UUID
    relation_id: UUID
    sharer_id: UUID
    beneficiary_id: UUID
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordQuota:
    """Something became of a quota; `opened` names its two persons, the first time.

    `state` is what it would be, had it not ended before.
    """

    quota_id: UUID
    event_id: UUID
    at: datetime
    type: str
    state: QuotaState
    amount: int | None = None
    opened: KnownQuota | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRelation:
    """Something became of a relation."""

    relation_id: UUID
    persons: frozenset[UUID]
    event_id: UUID
    at: datetime
    type: str
    state: RelationState


def happenings_of_relation(command: RecordRelation) -> list[Happening]:
    """The same for both."""
    return [
        Happening(
            person_id=person_id,
            event_id=command.event_id,
            at=command.at,
            type=command.type,
            state=command.state,
            relation_id=command.relation_id,
        )
        for person_id in sorted(command.persons)
    ]


def happenings_of_quota(command: RecordQuota, quota: KnownQuota) -> list[Happening]:
    """The same for both; what has ended stays so, whatever its province still answers."""
    return [
        Happening(
            person_id=person_id,
            event_id=command.event_id,
            at=command.at,
            type=command.type,
            state=QuotaState.ENDED if quota.ended else command.state,
            relation_id=quota.relation_id,
            quota_id=quota.quota_id,
            amount=command.amount,
        )
        for person_id in sorted({quota.sharer_id, quota.beneficiary_id})
    ]


def state_after_refund(*, left_fen: int) -> PaymentState:
    """A payment is refunded when nothing of it is charged any more."""
    return PaymentState.CAPTURED if left_fen else PaymentState.REFUNDED
