"""What the wallet tells."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from contracts.events.base import Told
from contracts.public import Allocation, Receipt
from contracts.vocabulary import (
    Admdvs,
    Fact,
    Fen,
    Hash64,
    Month,
    PaidFor,
    PositiveFen,
    RelationEnd,
    Signed,
)


class Balances(Fact):
    """A quota's books after the event: granted = the sum of the five others."""

    quota_id: UUID
    granted_fen: Fen
    available_fen: Fen
    held_fen: Fen
    spent_fen: Fen
    restoring_fen: Fen
    returned_fen: Fen


class QuotaOpened(Told):
    TYPE = "quota.opened.v1"
    quota_id: UUID
    relation_id: UUID
    sharer_id: UUID
    beneficiary_id: UUID


class QuotaGranted(Told):
    TYPE = "quota.granted.v1"
    quota_id: UUID
    relation_id: UUID
    amount_fen: PositiveFen
    balances: Balances


class QuotaRefused(Told):
    TYPE = "quota.refused.v1"
    quota_id: UUID
    relation_id: UUID
    amount_fen: PositiveFen
    reason: str
    balances: Balances


class QuotaEnded(Told):
    """Nothing new may be held or paid; `amount_fen` went back at once, holds live on (R6, R32)."""

    TYPE = "quota.ended.v1"
    quota_id: UUID
    relation_id: UUID
    sharer_id: UUID
    beneficiary_id: UUID
    reason: RelationEnd
    amount_fen: Fen
    balances: Balances


class PaymentTold(Told):
    """A payment's three places (R18) and day, and the books of its quotas after the event.

    `mdtrtarea_admvs` is whom the sharers' pools owe: the place of care or, of a premium, which has
    no institution (empty text), the enrolment area, whose fund it is for.
    """

    payment_id: UUID
    person_id: UUID
    institution: str
    mdtrtarea_admvs: Admdvs
    insuplc_admdvs: Admdvs
    purpose: PaidFor
    business_date: date
    amount_fen: PositiveFen
    allocations: tuple[Allocation, ...]
    balances: tuple[Balances, ...]


class PaymentHeld(PaymentTold):
    """The amount is set aside until `expires_at`."""

    TYPE = "payment.held.v1"
    admission_id: str | None = None
    held_at: datetime
    expires_at: datetime | None = None


class PaymentCaptured(PaymentTold):
    """The amount is owed to the place of care; of a hold the rest is free."""

    TYPE = "payment.captured.v1"
    period: Month
    captured_at: datetime
    receipt: Receipt


class PaymentReleased(PaymentTold):
    """The institution gave the hold up; all of it is free."""

    TYPE = "payment.released.v1"
    released_at: datetime


class PaymentRefunded(PaymentTold):
    """The amount was given back, in the period in which that is cleared (R22)."""

    TYPE = "payment.refunded.v1"
    refund_id: UUID
    period: Month
    refunded_at: datetime
    receipt: Receipt


class PaymentReversed(PaymentTold):
    """By its key a capture was undone, or a refund of it: then the amount is owed again (R23).

    `refund_id` is the opposite row: of the capture, or the refund that does not count any more.
    `row_id` is the row that undoes it, under which it is cleared.
    """

    TYPE = "payment.reversed.v1"
    reverses: Literal["capture", "refund"]
    refund_id: UUID
    row_id: UUID | None = None
    period: Month
    reversed_at: datetime
    receipt: Receipt


class PaymentExpired(PaymentTold):
    """Nobody captured the hold in time; all of it is free."""

    TYPE = "payment.expired.v1"
    expired_at: datetime


class CutTotal(Fact):
    """What one pool owes one place of care, or fund, for one kind: lines, fen, and their hashes.

    A line is what one quota gave to a payment, or got back of it: its hash is the first 64 bits
    of SHA-256 over the text `cause_id|quota_id|amount`, where the cause is the payment or, of an
    opposite row, that row, and the amount in fen is negative where it was given back.
    """

    debtor: Admdvs
    creditor: Admdvs
    kind: PaidFor
    count: Annotated[int, Field(strict=True, ge=1)]
    sum_fen: Signed
    hash: Hash64


class PeriodCut(Told):
    """A cell's month is over: whatever it decides from now on falls into a later one.

    Totals that are too many for one event come in so many `parts`, of which this is `part`: the
    month is told when all are there. Without them this event is all.
    """

    TYPE = "period.cut.v1"
    period: Month
    cell: Annotated[int, Field(strict=True, ge=0)]
    cells: Annotated[int, Field(strict=True, ge=1)]
    cut_at: datetime
    lines: tuple[CutTotal, ...]
    part: Annotated[int, Field(strict=True, ge=1)] | None = None
    parts: Annotated[int, Field(strict=True, ge=1)] | None = None


FROM_WALLET: tuple[type[Told], ...] = (
    QuotaOpened,
    QuotaGranted,
    QuotaRefused,
    QuotaEnded,
    PaymentHeld,
    PaymentCaptured,
    PaymentReleased,
    PaymentExpired,
    PaymentRefunded,
    PaymentReversed,
    PeriodCut,
)
