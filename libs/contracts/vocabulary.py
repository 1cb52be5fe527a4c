"""The words that all services share: money, codes, kinds and states."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MOST_FEN = 9_999_999_999_999_999
"""decimal(16,2) in yuan, the widest amount of the interface standard, in fen."""

Fen = Annotated[int, Field(strict=True, ge=0, le=MOST_FEN)]
PositiveFen = Annotated[int, Field(strict=True, ge=1, le=MOST_FEN)]

HoldSeconds = Annotated[int, Field(strict=True, ge=1, le=31_536_000)]
"""How long a hold shall live from now; at most a year, and less where the purpose says so."""

Total = Annotated[int, Field(strict=True, ge=0)]
"""A sum of amounts, in fen: it may be more than any one of them."""

# No control characters: they have no place in these fields, and PostgreSQL takes no NUL.
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
ShortText = Annotated[
    str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Admdvs = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
PsnNo = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,30}$")]
FixmedinsCode = Annotated[str, StringConstraints(pattern=r"^[HP][0-9]{11}$")]
PsnCertType = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")]
CertNo = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z()/-]{1,50}$")]
IdempotencyKey = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]
PremiumScheme = Literal["390", "410"]
"""Schemes whose personal premium mutual aid may pay (R10)."""

LevyYear = Annotated[int, Field(strict=True, ge=2000, le=2099)]
Month = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]


Signed = Annotated[int, Field(strict=True)]
"""A sum in which what was given back counts against what was charged, in fen: it may be below 0."""

Hash64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""A sum of 64-bit hashes, modulo 2^64, in hex: JSON's readers may lose digits of such a number."""


class Wire(BaseModel):
    """A body that comes in: strict types, and no field that is not named here."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Fact(BaseModel):
    """A body that is told: its readers ignore what they do not know, so that it may grow."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


PROVINCES = (
    "110000", "120000", "130000", "140000", "150000", "210000", "220000", "230000",
    "310000", "320000", "330000", "340000", "350000", "360000", "370000", "410000",
    "420000", "430000", "440000", "450000", "460000", "500000", "510000", "520000",
    "530000", "540000", "610000", "620000", "630000", "640000", "650000", "660000",
)  # fmt: skip
"""The 31 provinces and the XPCC (660000, a setting: its code as a region is not published)."""


class Insutype(StrEnum):
    """Insurance schemes (险种类型) as the interface standard numbers them."""

    EMPLOYEE = "310"
    RETIRED_CADRE = "340"
    RESIDENT = "390"
    LONG_TERM_CARE = "410"
    MATERNITY = "510"


class InstitutionKind(StrEnum):
    HOSPITAL = "hospital"
    PHARMACY = "pharmacy"


class Purpose(StrEnum):
    """What a payment is for at an institution (R10)."""

    OUTPATIENT = "outpatient"
    INPATIENT = "inpatient"
    PHARMACY = "pharmacy"


class Premium(StrEnum):
    """What a payment is for where it is no care: somebody's own premium of a scheme (R10)."""

    RESIDENT = "premium_390"
    LONG_TERM_CARE = "premium_410"


class PaidFor(StrEnum):
    """All that a payment may be for, as it is shown and told."""

    OUTPATIENT = "outpatient"
    INPATIENT = "inpatient"
    PHARMACY = "pharmacy"
    PREMIUM_390 = "premium_390"
    PREMIUM_410 = "premium_410"


class ItemCategory(StrEnum):
    DRUG = "drug"
    DEVICE = "device"
    CONSUMABLE = "consumable"
    SERVICE = "service"


class Role(StrEnum):
    SHARER = "sharer"
    BENEFICIARY = "beneficiary"


class RelationState(StrEnum):
    """Life of a relation: proposed → activating → active ⇄ suspended → ending → ended."""

    PROPOSED = "proposed"
    ACTIVATING = "activating"  # both consented; final when the wallet has applied it
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDING = "ending"
    ENDED = "ended"
    DECLINED = "declined"


class QuotaState(StrEnum):
    """Life of a quota: opened → freezing ⇄ active; refused before any freeze was granted."""

    OPENED = "opened"
    FREEZING = "freezing"  # the province was asked to freeze and has not answered
    ACTIVE = "active"
    REFUSED = "refused"
    ENDED = "ended"


class PaymentState(StrEnum):
    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    REVERSED = "reversed"


class Book(StrEnum):
    """The books of a quota; PROVINCE is outside: what the province froze, or got back."""

    PROVINCE = "province"
    AVAILABLE = "available"
    HELD = "held"
    SPENT = "spent"
    RESTORING = "restoring"
    RETURNED = "returned"


EnrolmentStatus = Literal["active", "suspended", "ended", "moved"]
EnrolmentEnd = Literal["ended", "moved", "deceased"]
RelationEnd = Literal["will", "ended", "moved", "deceased", "merged"]
"""Why a relation ended: one of the two wanted it, what became of an insurance (R3, R5), or one of
them turned out to be somebody else who is known as well."""

PeriodState = Literal["open", "cut", "balanced", "issued", "confirmed", "paid", "closed"]
"""Life of a Beijing month (R15): cut, issued and closed by a clerk, the others by themselves."""

Tier = Literal["national", "province", "city", "institution"]
PrefundLevel = Literal["green", "yellow", "red"]
