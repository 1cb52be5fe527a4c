"""Commands that come over Kafka: what other rooms tell, as the wallet takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from contracts.commands import PersonSnapshot
from contracts.events import CutTotal, RelationActivated
from contracts.vocabulary import RelationEnd
from wallet.domain.books import Registration
from wallet.domain.orders import OrderKind
from wallet.domain.premium import PremiumState


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuota:
    """A relation was activated: the sharer may now say what shall be spendable."""

    relation: RelationActivated


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendQuota:
    """A relation was suspended, or resumed: nothing new may be held meanwhile (R5)."""

    relation_id: UUID
    beneficiary_id: UUID
    suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EndQuota:
    """A relation has ended; `since` is the Beijing day to which its end may be dated back."""

    relation_id: UUID
    beneficiary_id: UUID
    reason: RelationEnd
    since: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPerson:
    """A person's insurance has changed."""

    person: PersonSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRegistration:
    """Where a person may be treated away from home, as told last of that area (R26)."""

    person_id: UUID
    registration: Registration


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFreeze:
    """A province confirmed or, for a reason, refused a freeze."""

    province: str
    freeze_id: UUID
    confirmed: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOrderAnswer:
    """A province carried out a debit, an unfreeze or a credit, or refused the credit."""

    province: str
    order_id: UUID
    kind: OrderKind
    refused_because: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPremiumAnswer:
    """A levy's fund accepted, refused or gave back a premium: what its province `said`."""

    province: str
    payment_id: UUID
    levy_no: str
    said: PremiumState
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPremiumAgain:
    """The sweep saw a premium whose fund was asked so many times and keeps silent."""

    payment_id: UUID
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireHold:
    """The sweep saw a hold whose deadline, this one, had passed."""

    payment_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAgain:
    """The sweep saw an order unanswered after `asks` asks; after `most` it is for a clerk."""

    order_id: UUID
    asks: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatOrder:
    """A clerk has a parked order told once more."""

    order_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUpFreeze:
    """A clerk counts on no answer to a parked freeze any more."""

    order_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPeriod:
    """A Beijing month is to be cut; only `early` it may be before it is over."""

    period: str
    early: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TellCut:
    """What a month that was cut adds up to in this cell, which is one of so many."""

    period: str
    cell: int
    cells: int
    totals: tuple[CutTotal, ...]
