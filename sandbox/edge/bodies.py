"""Bodies of the sandbox's HTTP routes, as contract §6 has them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.vocabulary import (
    Admdvs,
    EnrolmentEnd,
    EnrolmentStatus,
    Fact,
    Fen,
    FixmedinsCode,
    InstitutionKind,
    PositiveFen,
    PsnNo,
    ShortText,
    Text,
    Wire,
)
from sandbox.domain.behaviour import Behaviour

RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_-]{0,29}$")]


class NewPerson(Wire):
    """An adult of working age, unless `born_on` or `retired` says otherwise.

    Only the employee scheme (310) has an account: others' `balance_fen` comes back as 0.
    """

    insutype: Literal["310", "340", "390"]
    insuplc_admdvs: Admdvs
    balance_fen: Fen
    born_on: date | None = None
    retired: bool = False


class MadePerson(Fact):
    psn_no: PsnNo
    psn_cert_type: str
    cert_no: str
    name: str
    insutype: str
    insuplc_admdvs: Admdvs
    balance_fen: Fen


class RefundedPremium(Fact):
    """What the province told of a premium that its fund gave back."""

    payment_id: UUID
    levy_no: str


class NewToken(Wire):
    """Either a person's {psn_no, pool_admdvs?}, or a clerk's {clerk, roles}."""

    psn_no: PsnNo | None = None
    pool_admdvs: Admdvs | None = None
    clerk: ShortText | None = None
    roles: Annotated[tuple[RoleName, ...], Field(max_length=20, strict=False)] | None = None


class Token(Fact):
    token: str


class NewEcCode(Wire):
    psn_no: PsnNo


class EcCode(Fact):
    value: str


class EcQuery(Wire):
    value: Text


class EcAnswer(Fact):
    """What the decoder of e-certificates says of a code, in the interface standard's own names."""

    idNo: str
    userName: str
    idType: str
    insuOrg: str
    ecToken: str
    chnlId: str


class AccountView(Fact):
    balance_fen: Fen
    frozen_fen: Fen
    spendable_fen: Fen


class NewDeposit(Wire):
    amount_fen: PositiveFen


class NewEnrolment(Wire):
    """`since` is today in Beijing unless it is given."""

    psn_no: PsnNo
    status: EnrolmentStatus
    since: date | None = None
    reason: EnrolmentEnd | None = None


class Enrolment(Fact):
    psn_no: PsnNo
    insutype: str
    insuplc_admdvs: Admdvs
    status: EnrolmentStatus
    since: date
    reason: EnrolmentEnd | None


class NewRegistration(Wire):
    psn_no: PsnNo
    mdtrtarea_admvs: Admdvs
    valid_from: date = Field(alias="from")
    valid_to: date = Field(alias="to")


class Registration(Fact):
    psn_no: PsnNo
    mdtrtarea_admvs: Admdvs
    valid_from: date = Field(alias="from")
    valid_to: date = Field(alias="to")


class NewInstitution(Wire):
    """What a province tells of an institution; `active` is whether it is designated (R27)."""

    fixmedins_code: FixmedinsCode
    name: Text
    kind: InstitutionKind
    level: ShortText
    admdvs: Admdvs
    active: bool
    wallet_enabled: bool
    valid_from: date = Field(alias="from")
    valid_to: date | None = Field(alias="to", default=None)


class ToldInstitution(Fact):
    fixmedins_code: FixmedinsCode
    name: Text
    kind: InstitutionKind
    level: ShortText
    admdvs: Admdvs
    active: bool
    wallet_enabled: bool
    valid_from: date = Field(alias="from")
    valid_to: date | None = Field(alias="to", default=None)


class ShownProvince(Fact):
    """`played` is false for one that is left to somebody else."""

    province: str
    played: bool
    behaviour: Behaviour


class ShownInstitution(Fact):
    code: str
    name: str
    kind: str
    mdtrtarea_admvs: Admdvs
    key_id: str
    algorithm: str


class World(Fact):
    people: list[MadePerson]
    institutions: list[ShownInstitution]
    provinces: list[ShownProvince]


__all__ = ["Behaviour"]
