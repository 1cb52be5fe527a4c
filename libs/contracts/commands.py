"""What is asked of relations and wallet: one class a use case, named alike."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from contracts.public import Bill
from contracts.vocabulary import (
    Admdvs,
    Fen,
    FixmedinsCode,
    HoldSeconds,
    IdempotencyKey,
    InstitutionKind,
    LevyYear,
    PositiveFen,
    PremiumScheme,
    PsnNo,
    Purpose,
    Role,
    ShortText,
    Text,
    Total,
    Wire,
)


class PersonSnapshot(Wire):
    """What the wallet may know of a person: no name, no identity number.

    `version` grows with every change in relations, so that an older snapshot never wins.
    """

    person_id: UUID
    version: Annotated[int, Field(ge=1, le=2_147_483_647)]
    psn_no: PsnNo
    pool_admdvs: Admdvs
    insutype: str
    insured: bool


class OpenWallet(Wire):
    """Open the medical-insurance wallet of a person, by that person's own will (R29)."""

    type: Literal["open_wallet"] = "open_wallet"
    person: PersonSnapshot
    given_fen: Total = 0
    """What the person gives to others, whose books may lie in other cells."""

    may_look: bool = True
    """Whether who asks may see what lies in it already: the person, or who shares with them."""


class SetQuota(Wire):
    """Say what shall be spendable of a sharer's quota for a beneficiary (R9)."""

    type: Literal["set_quota"] = "set_quota"
    relation_id: UUID
    sharer_id: UUID
    beneficiary_id: UUID
    available_fen: Fen


class OrderSharers(Wire):
    """In which order a beneficiary's sharers give; those not named follow by age (R12)."""

    type: Literal["order_sharers"] = "order_sharers"
    person_id: UUID
    quota_ids: Annotated[tuple[UUID, ...], Field(max_length=1000, strict=False)]


class Visit(Wire):
    """A beneficiary's bill at an institution.

    The institution's facts are the gateway's; the presence was proved there, and may have
    expired since (R18, R27, R30).
    """

    person_id: UUID
    institution: FixmedinsCode
    institution_kind: InstitutionKind
    mdtrtarea_admvs: Admdvs
    wallet_enabled: bool
    presence_expires_at: datetime
    purpose: Purpose
    bill: Bill


class Quote(Visit):
    """What could be paid of it now; nothing is reserved. Without an amount: as much as may be.

    `instance` is the path the caller asked.
    """

    amount_fen: PositiveFen | None = None
    instance: str


class Charge(Visit):
    """A beneficiary's own share of a bill, wanted from the quotas of relatives.

    `quote_fault` says what is wrong with the quote that was named: there is none any more, or it
    was for something else.
    """

    amount_fen: PositiveFen
    partial: bool
    admission_id: ShortText | None = None
    quote_fault: Literal["unknown", "different"] | None = None


class Pay(Charge):
    """Take it at once, in one step."""

    type: Literal["pay"] = "pay"


class Hold(Charge):
    """Set it aside until it is captured, or for `hold_seconds` at most."""

    type: Literal["hold"] = "hold"
    hold_seconds: HoldSeconds | None = None


class Capture(Wire):
    """The treatment was given: take of a hold what it cost, by the final bill if there is one."""

    type: Literal["capture"] = "capture"
    payment_id: UUID
    institution: FixmedinsCode
    amount_fen: PositiveFen
    bill: Bill | None = None


class Extend(Wire):
    """Let a hold live on, for `hold_seconds` from now."""

    type: Literal["extend"] = "extend"
    payment_id: UUID
    institution: FixmedinsCode
    hold_seconds: HoldSeconds


class Release(Wire):
    """Give a hold up: nothing of it will be needed."""

    type: Literal["release"] = "release"
    payment_id: UUID
    institution: FixmedinsCode


class Refund(Wire):
    """Give back all or part of what was captured; `bill_after` is what is left to pay."""

    type: Literal["refund"] = "refund"
    payment_id: UUID
    institution: FixmedinsCode
    amount_fen: PositiveFen
    bill_after: Bill | None = None
    reason: Text


class Reverse(Wire):
    """Undo whatever the institution asked under a key, or see to it that it never happens."""

    type: Literal["reverse"] = "reverse"
    person_id: UUID
    institution: FixmedinsCode
    original_key: IdempotencyKey


class PayPremium(Wire):
    """Set a premium aside until the levy's own fund has accepted or refused it (R10).

    `entitled` says whether who asks is the beneficiary, or shares with them as things stand.
    """

    type: Literal["pay_premium"] = "pay_premium"
    person_id: UUID
    entitled: bool
    insutype: PremiumScheme
    year: LevyYear
    levy_no: ShortText
    amount_fen: PositiveFen


class ProposeRelation(Wire):
    """One of the two proposes; the other one has to confirm (R3)."""

    type: Literal["propose_relation"] = "propose_relation"
    proposer_id: UUID
    counterpart_id: UUID
    role: Role
    kind: ShortText
    commitment_version: ShortText
    proposer_wallet_open: bool
    counterpart_wallet_open: bool
    guardian_id: UUID | None = None
    """Who consents for a proposer who is under age (R13)."""


class ConfirmRelation(Wire):
    """The one who did not propose consents; the wallet then applies it."""

    type: Literal["confirm_relation"] = "confirm_relation"
    relation_id: UUID
    person_id: UUID
    guardian_id: UUID | None = None


class DeclineRelation(Wire):
    """One of the two does not want what was proposed (R3)."""

    type: Literal["decline_relation"] = "decline_relation"
    relation_id: UUID
    person_id: UUID
    guardian_id: UUID | None = None


class EndRelation(Wire):
    """One of the two wants out, at any time; final when the wallet has applied it (R3)."""

    type: Literal["end_relation"] = "end_relation"
    relation_id: UUID
    person_id: UUID
    guardian_id: UUID | None = None


WalletCommand = Annotated[
    OpenWallet
    | SetQuota
    | Pay
    | Hold
    | Capture
    | Extend
    | Release
    | Refund
    | Reverse
    | OrderSharers
    | PayPremium,
    Field(discriminator="type"),
]
RelationsCommand = Annotated[
    ProposeRelation | ConfirmRelation | DeclineRelation | EndRelation,
    Field(discriminator="type"),
]
