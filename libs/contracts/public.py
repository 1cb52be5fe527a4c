"""What institutions and citizens send and get: whole fen, instants UTC, days Beijing's."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.vocabulary import (
    Admdvs,
    CertNo,
    Fact,
    Fen,
    HoldSeconds,
    IdempotencyKey,
    InstitutionKind,
    ItemCategory,
    LevyYear,
    Month,
    PaidFor,
    PaymentState,
    PositiveFen,
    PremiumScheme,
    PsnCertType,
    PsnNo,
    Purpose,
    QuotaState,
    RelationState,
    Role,
    ShortText,
    Text,
    Total,
    Wire,
)

X25519PublicKey = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")
]
"""32 bytes in base64 with padding, the unused bits of the last letter being zero."""


class NewSession(Wire):
    """The institution's half of an agreement, made for this session alone."""

    x25519_public_key: X25519PublicKey


class Session(Fact):
    """The gateway's half, and how long the key that both derive from the two is good."""

    key_id: str
    x25519_public_key: X25519PublicKey
    algorithm: Literal["hmac-sm3"]
    expires_at: datetime


class Item(Wire):
    """A line of a bill: checked, then dropped; it is nowhere kept."""

    category: ItemCategory
    amount_fen: Fen
    eligible: bool


class Bill(Wire):
    """The settlement amounts of a visit, named as in the interface standard (R20)."""

    medfee_sumamt_fen: Fen
    fulamt_ownpay_fen: Fen
    overlmt_selfpay_fen: Fen
    preselfpay_fen: Fen
    inscp_scp_fen: Fen
    fund_pay_sumamt_fen: Fen
    hosp_part_fen: Fen
    psn_part_fen: Fen
    own_acct_pay_fen: Fen
    med_type: Annotated[str, Field(pattern=r"^[0-9]{2,6}$")]
    mdtrt_id: ShortText | None = None
    setl_id: ShortText | None = None
    medins_setl_id: ShortText | None = None
    rx_no: ShortText | None = None
    items: Annotated[tuple[Item, ...], Field(max_length=1000, strict=False)] | None = None


class Credential(Wire):
    """What the beneficiary shows at the counter (R30)."""

    type: Literal["e_certificate", "id_card", "social_card"]
    value: Text
    psn_cert_type: PsnCertType | None = None
    card_sn: ShortText | None = None
    name: ShortText | None = None


class Agent(Wire):
    """Somebody who comes in the beneficiary's stead."""

    psn_cert_type: PsnCertType
    cert_no: CertNo
    name: ShortText
    relation: ShortText


class NewPresence(Wire):
    credential: Credential
    agent: Agent | None = None


class PresentPerson(Fact):
    person_id: UUID
    psn_no: PsnNo
    name_masked: str
    insutype: str
    insuplc_admdvs: Admdvs
    insured: bool


class PresentWallet(Fact):
    open: bool
    available_fen: Total


class Presence(Fact):
    presence_token: str
    expires_at: datetime
    person: PresentPerson
    wallet: PresentWallet


class NewPayment(Wire):
    presence_token: Annotated[str, Field(min_length=1, max_length=4096)]
    purpose: Purpose
    bill: Bill
    amount_fen: PositiveFen
    capture: bool = True
    partial: Literal["refuse", "allow"] = "refuse"
    quote_id: UUID | None = None
    hold_seconds: HoldSeconds | None = None
    admission_id: ShortText | None = None


class NewQuote(Wire):
    """Without `amount_fen` the question is how much relatives could give."""

    presence_token: Annotated[str, Field(min_length=1, max_length=4096)]
    purpose: Purpose
    bill: Bill
    amount_fen: PositiveFen | None = None


class NewCapture(Wire):
    """What the treatment cost in the end; what of the hold is left is free again."""

    amount_fen: PositiveFen
    bill: Bill | None = None


class NewExtension(Wire):
    """How long the hold shall live from now on."""

    hold_seconds: HoldSeconds


class NewRefund(Wire):
    """What is given back of a captured payment, and why; the last sharer charged gets it first."""

    amount_fen: PositiveFen
    bill_after: Bill | None = None
    reason: Text


class NewReversal(Wire):
    """The key under which something was asked about this person, whatever became of it."""

    original_key: IdempotencyKey
    person_id: UUID


class Reversal(Fact):
    """What became of the original: its money is back, or it will be refused when it arrives."""

    outcome: Literal["reversed", "tombstoned", "already_reversed", "nothing_to_reverse"]
    payment_id: UUID | None = None


class AskedRequest(Fact):
    """What is known of a key; that nothing is known proves nothing, only a reversal does."""

    state: Literal["in_progress", "answered", "tombstoned"]


class Allocation(Fact):
    """What one sharer's quota gives to a payment; `sharer_admdvs` is that sharer's pool (R18).

    While it is held, what is set aside; once it is captured, what is charged.
    """

    quota_id: UUID
    kind: str
    sharer_admdvs: Admdvs
    amount_fen: Fen


class Receipt(Fact):
    """The slip: acct_pay contains acct_mulaid_pay, which is inside it and never added (R20)."""

    medfee_sumamt_fen: Fen
    fund_pay_sumamt_fen: Fen
    acct_pay_fen: Fen
    acct_mulaid_pay_fen: Fen
    psn_cash_pay_fen: Fen


class Quoted(Fact):
    """What a payment of a bill would be now: burden = own account (as declared) + aid + cash."""

    personal_burden_fen: Fen
    own_account_fen: Fen
    mutual_aid_fen: Fen
    cash_fen: Fen
    allocations: tuple[Allocation, ...]


class Quote(Quoted):
    """It reserves nothing; until it expires a payment may name it."""

    quote_id: UUID
    expires_at: datetime


class Payment(Fact):
    """A payment with its three places (R18).

    A premium has no institution (empty text) and no deadline; its `mdtrtarea_admvs` is the
    enrolment area, whose fund it is for.
    """

    payment_id: UUID
    state: PaymentState
    requested_fen: Fen
    amount_fen: Fen
    captured_fen: Fen
    refunded_fen: Fen
    allocations: tuple[Allocation, ...]
    person_id: UUID
    institution: str
    mdtrtarea_admvs: Admdvs
    insuplc_admdvs: Admdvs
    purpose: PaidFor
    admission_id: str | None
    business_date: date
    period: Month
    held_at: datetime
    captured_at: datetime | None
    expires_at: datetime | None
    receipt: Receipt


class Refund(Fact):
    """What was given back; it may be spent again once the sharers' provinces have credited it.

    `state`, `refunded_fen` and `receipt` are the payment's after it.
    """

    refund_id: UUID
    payment_id: UUID
    person_id: UUID
    institution: str
    amount_fen: PositiveFen
    reason: str
    allocations: tuple[Allocation, ...]
    business_date: date
    period: Month
    refunded_at: datetime
    state: PaymentState
    captured_fen: Fen
    refunded_fen: Fen
    receipt: Receipt


class OpenedWallet(Fact):
    person_id: UUID
    open: bool
    given_fen: Total
    received_fen: Total
    available_fen: Total


class NewWallet(Wire):
    on_behalf_of: PsnNo | None = None


class Counterpart(Wire):
    psn_cert_type: PsnCertType
    cert_no: CertNo
    name: ShortText


class NewRelation(Wire):
    """`kind` is what the beneficiary is to the sharer (R2)."""

    role: Role
    counterpart: Counterpart
    kind: ShortText
    commitment_version: ShortText
    on_behalf_of: PsnNo | None = None


class Relation(Fact):
    """A relation as one of its two persons sees it: `role` is the reader's own."""

    relation_id: UUID
    role: Role
    kind: str
    state: RelationState


class Nothing(Wire):
    """The empty body {}."""


class ActingFor(Wire):
    """The empty body {}, or for whom a guardian acts (R13)."""

    on_behalf_of: PsnNo | None = None


class WantedQuota(Wire):
    """What shall be spendable: raising freezes the difference, lowering returns it (R9)."""

    available_fen: Fen


class NewPremium(Wire):
    """Somebody's own premium of a scheme, asked for by a levy that is open (R10)."""

    person_id: UUID
    insutype: PremiumScheme
    year: LevyYear
    levy_no: ShortText
    amount_fen: PositiveFen


class OrderOfQuotas(Wire):
    """The quotas one was given, in the order in which they shall give (R12)."""

    quota_ids: Annotated[tuple[UUID, ...], Field(max_length=1000, strict=False)]


class OrderedQuotas(Fact):
    """All quotas that live, in the order in which they give."""

    quota_ids: tuple[UUID, ...]


class Quota(Fact):
    quota_id: UUID
    state: QuotaState
    available_fen: Fen
    held_fen: Fen
    spent_fen: Fen
    granted_fen: Fen


class QuotaOfPerson(Quota):
    relation_id: UUID
    role: Role
    refusal: str | None = None


class Problem(Fact):
    """A refusal on the wire (RFC 9457, application/problem+json)."""

    type: str
    title: str
    title_zh: str
    status: int
    code: str
    detail: str
    instance: str
    retryable: bool


class Institution(Fact):
    """An institution as the gateway keeps it: its code, what it is and where (R18, R27)."""

    code: str
    name: str
    kind: InstitutionKind
    mdtrtarea_admvs: Admdvs
    wallet_enabled: bool
