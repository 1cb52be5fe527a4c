"""What may be asked of the outside world: one class a use case, named alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from contracts.events import (
    ClearingIssued,
    CreditOrdered,
    DebitOrdered,
    FreezeRequested,
    InstitutionChanged,
    KinshipAsked,
    PrefundWarned,
    PremiumRequested,
    UnfreezeOrdered,
)
from contracts.vocabulary import EnrolmentEnd, EnrolmentStatus
from sandbox.domain.behaviour import Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePerson:
    province: str
    insuplc_admdvs: str
    insutype: str
    balance_fen: int
    born_on: date | None
    retired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    province: str
    psn_no: str
    amount_fen: int
    reference: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEnrolment:
    province: str
    psn_no: str
    status: EnrolmentStatus
    since: date
    reason: EnrolmentEnd | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRegistration:
    province: str
    psn_no: str
    mdtrtarea_admvs: str
    valid_from: date
    valid_to: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TellInstitution:
    """What a province has to say of an institution."""

    province: str
    told: InstitutionChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBehaviour:
    province: str
    behaviour: Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueEcCode:
    psn_no: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFreeze:
    """`account.freeze-requested` reached the core of its topic's province."""

    province: str
    request: FreezeRequested


@dataclass(frozen=True, slots=True, kw_only=True)
class ObeyOrder:
    """An order on an account reached the core of its topic's province."""

    province: str
    order: UnfreezeOrdered | DebitOrdered | CreditOrdered


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKinship:
    """`kinship.asked` reached its topic's province."""

    province: str
    inquiry: KinshipAsked


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPremium:
    """`premium.requested` reached its topic's province, whose fund levies it."""

    province: str
    request: PremiumRequested


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPremium:
    """The fund gives back a premium that it has accepted."""

    province: str
    payment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerClearing:
    """`clearing.issued` reached its topic's province."""

    province: str
    issued: ClearingIssued


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpPrefund:
    """`prefund.warned` reached its topic's province, which had deposited too little."""

    province: str
    warning: PrefundWarned


@dataclass(frozen=True, slots=True, kw_only=True)
class TellAnswer:
    """An answer that was held back is due."""

    answer_id: int
