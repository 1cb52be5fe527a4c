"""What we ask and tell provinces."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from contracts.events.base import Told
from contracts.vocabulary import (
    Admdvs,
    Fact,
    LevyYear,
    Month,
    PaidFor,
    PositiveFen,
    PremiumScheme,
    PsnNo,
    ShortText,
    Signed,
)


class FreezeRequested(Told):
    TYPE = "account.freeze-requested.v1"
    freeze_id: UUID
    quota_id: UUID
    psn_no: PsnNo
    pool_admdvs: Admdvs
    amount_fen: PositiveFen


class UnfreezeOrdered(Told):
    TYPE = "account.unfreeze-ordered.v1"
    order_id: UUID
    quota_id: UUID
    psn_no: PsnNo
    pool_admdvs: Admdvs
    amount_fen: PositiveFen


class DebitOrdered(Told):
    """`mdtrtarea_admvs` is the place of care or, of a premium, the area of the levy's fund."""

    TYPE = "account.debit-ordered.v1"
    order_id: UUID
    quota_id: UUID
    payment_id: UUID
    psn_no: PsnNo
    pool_admdvs: Admdvs
    amount_fen: PositiveFen
    mdtrtarea_admvs: Admdvs
    purpose: PaidFor
    captured_at: datetime


class PremiumRequested(Told):
    """Whether the levy's own fund accepts a premium that is set aside; asked until it is answered.

    Its key is the quota that gives first. A payment is answered once, and the same again.
    """

    TYPE = "premium.requested.v1"
    payment_id: UUID
    levy_no: ShortText
    psn_no: PsnNo
    pool_admdvs: Admdvs
    insutype: PremiumScheme
    year: LevyYear
    amount_fen: PositiveFen


class BorderPerson(Fact):
    """A person as a province knows them."""

    psn_no: PsnNo
    pool_admdvs: Admdvs


class KinshipAsked(Told):
    """Is the beneficiary to the sharer what both say? Asked again until it is answered (R13)."""

    TYPE = "kinship.asked.v1"
    inquiry_id: UUID
    sharer: BorderPerson
    beneficiary: BorderPerson
    kind: str


class RelationChanged(Told):
    """A relation is in force, suspended or over: told to the province of each of its two persons.

    What only passes is not told: proposals, consent that the wallet has to apply, an end that it
    has. Its key is the relation.
    """

    TYPE = "relation.changed.v1"
    relation_id: UUID
    state: Literal["active", "suspended", "ended"]
    kind: str
    sharer: BorderPerson
    beneficiary: BorderPerson


class Recoverable(Fact):
    """What of a payment was charged to the sharer's account after it should have ended."""

    payment_id: UUID
    amount_fen: PositiveFen


class RecoveryListed(Told):
    """An end was dated back: what was captured since is the pool's to recover (R35)."""

    TYPE = "account.recovery-listed.v1"
    quota_id: UUID
    psn_no: PsnNo
    pool_admdvs: Admdvs
    since: date
    payments: tuple[Recoverable, ...]


class CreditOrdered(Told):
    """Give money back to an account and, where `freeze`, freeze it again in the same step."""

    TYPE = "account.credit-ordered.v1"
    order_id: UUID
    quota_id: UUID
    payment_id: UUID
    refund_id: UUID
    psn_no: PsnNo
    pool_admdvs: Admdvs
    amount_fen: PositiveFen
    freeze: bool


class IssuedLine(Fact):
    """What a province pays to another, or receives from it, for one kind; gross, in fen (R15).

    Where more was given back than charged the sum is negative, and goes the other way.
    """

    counterpart: Admdvs
    kind: PaidFor
    direction: Literal["pays", "receives"]
    count: Annotated[int, Field(strict=True, ge=1)]
    sum_fen: Signed


class InsideLine(Fact):
    """What one pool of the province owes another, or itself: cleared inside the province (R15)."""

    debtor: Admdvs
    creditor: Admdvs
    kind: PaidFor
    count: Annotated[int, Field(strict=True, ge=1)]
    sum_fen: Signed


class ClearingIssued(Told):
    """A month's statement for one province, to be confirmed or disputed."""

    TYPE = "clearing.issued.v1"
    period: Month
    version: Annotated[int, Field(strict=True, ge=1)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    lines: tuple[IssuedLine, ...]
    inside: tuple[InsideLine, ...] = ()


class ClearingClosed(Told):
    """The month is closed: what is found later falls into an open one."""

    TYPE = "clearing.closed.v1"
    period: Month
    version: Annotated[int, Field(strict=True, ge=1)]


class PrefundWarned(Told):
    """What the province deposited with the counterpart is nearly used, or all of it (R16)."""

    TYPE = "prefund.warned.v1"
    counterpart: Admdvs
    level: Literal["yellow", "red"]
    ratio_percent: Annotated[int, Field(strict=True, ge=0)]


TO_PROVINCE: tuple[type[Told], ...] = (
    FreezeRequested,
    UnfreezeOrdered,
    DebitOrdered,
    CreditOrdered,
    RecoveryListed,
    KinshipAsked,
    RelationChanged,
    PremiumRequested,
    ClearingIssued,
    ClearingClosed,
    PrefundWarned,
)
