"""What provinces tell us."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, JsonValue

from contracts.events.base import Told
from contracts.vocabulary import (
    Admdvs,
    EnrolmentEnd,
    EnrolmentStatus,
    Fact,
    Fen,
    FixmedinsCode,
    InstitutionKind,
    Month,
    PositiveFen,
    PsnCertType,
    PsnNo,
    ShortText,
    Text,
)


class Sealed(Fact):
    """Certificate number and name, SM4-GCM under the province's key; AAD is the psn_no.

    Sealed is the JSON of {cert_no, name} in UTF-8. `nonce` (12 bytes) and `ciphertext`, at whose
    end its tag of 16 bytes stands, are in base64.
    """

    key_id: str
    nonce: str
    ciphertext: str


class EnrolmentChanged(Told):
    TYPE = "enrolment.changed.v1"
    psn_no: PsnNo
    insutype: Annotated[str, Field(pattern=r"^[0-9]{3}$")]
    pool_admdvs: Admdvs
    status: EnrolmentStatus
    since: date
    reason: EnrolmentEnd | None = None
    psn_cert_type: PsnCertType | None = None
    sealed: Sealed | None = None
    born_on: date | None = None


class RegistrationChanged(Told):
    TYPE = "registration.changed.v1"
    psn_no: PsnNo
    mdtrtarea_admvs: Admdvs
    valid_from: date = Field(alias="from")
    valid_to: date = Field(alias="to")


class FreezeConfirmed(Told):
    TYPE = "account.freeze-confirmed.v1"
    freeze_id: UUID


class FreezeRefused(Told):
    TYPE = "account.freeze-refused.v1"
    freeze_id: UUID
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class AccountUnfrozen(Told):
    TYPE = "account.unfrozen.v1"
    order_id: UUID


class AccountDebited(Told):
    TYPE = "account.debited.v1"
    order_id: UUID


class AccountCredited(Told):
    TYPE = "account.credited.v1"
    order_id: UUID


class CreditRefused(Told):
    TYPE = "account.credit-refused.v1"
    order_id: UUID
    reason: Literal["moved", "closed", "deceased"]


class PremiumAnswer(Told):
    payment_id: UUID
    levy_no: ShortText
    reason: Text | None = None


class PremiumAccepted(PremiumAnswer):
    TYPE = "premium.accepted.v1"


class PremiumRefused(PremiumAnswer):
    TYPE = "premium.refused.v1"


class PremiumRefunded(PremiumAnswer):
    TYPE = "premium.refunded.v1"


class KinshipAnswered(Told):
    TYPE = "kinship.answered.v1"
    inquiry_id: UUID
    answer: Literal["yes", "no", "unknown"]


class InstitutionChanged(Told):
    TYPE = "institution.changed.v1"
    fixmedins_code: FixmedinsCode
    name: Text
    kind: InstitutionKind
    level: ShortText
    admdvs: Admdvs
    active: bool
    wallet_enabled: bool
    valid_from: date = Field(alias="from")
    valid_to: date | None = Field(alias="to", default=None)


class ClearingAnswered(Told):
    TYPE = "clearing.answered.v1"
    period: Month
    version: Annotated[int, Field(ge=1)]
    answer: Literal["confirmed", "disputed"]
    lines: tuple[dict[str, JsonValue], ...] | None = None


class ClearingPaid(Told):
    TYPE = "clearing.paid.v1"
    period: Month
    version: Annotated[int, Field(ge=1)]
    tier: Literal["interprovince", "province_city", "institution"]
    payer: ShortText
    payee: ShortText
    amount_fen: Fen
    paid_on: date


class PrefundToppedUp(Told):
    TYPE = "prefund.topped-up.v1"
    counterpart: Admdvs
    amount_fen: PositiveFen


class AttestedQuota(Fact):
    quota_id: UUID
    through_sequence: Annotated[int, Field(ge=0)]
    frozen_fen: Fen


class AttestationGiven(Told):
    """What a province has frozen, quota by quota, in parts."""

    TYPE = "attestation.given.v1"
    as_of: datetime
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    quotas: tuple[AttestedQuota, ...]


FROM_PROVINCE: tuple[type[Told], ...] = (
    EnrolmentChanged,
    RegistrationChanged,
    FreezeConfirmed,
    FreezeRefused,
    AccountUnfrozen,
    AccountDebited,
    AccountCredited,
    CreditRefused,
    PremiumAccepted,
    PremiumRefused,
    PremiumRefunded,
    KinshipAnswered,
    InstitutionChanged,
    ClearingAnswered,
    ClearingPaid,
    PrefundToppedUp,
    AttestationGiven,
)
