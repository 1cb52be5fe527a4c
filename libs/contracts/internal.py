"""What the gateway asks of the other services over HTTP, with a service token."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import Field

from contracts.public import Payment, QuotaOfPerson, Relation
from contracts.vocabulary import (
    Admdvs,
    CertNo,
    Fact,
    Fen,
    FixmedinsCode,
    IdempotencyKey,
    Month,
    PsnCertType,
    PsnNo,
    ShortText,
    Signed,
    Tier,
    Wire,
)

C = TypeVar("C")


class Call(Wire, Generic[C]):
    """One command with the name under which its answer is remembered.

    `caller` is an institution or a citizen; `person_id` whom it concerns, or None where the
    command names a payment, whose beneficiary the wallet knows. `fingerprint` is the hex SHA-256
    of method, path and body; without a `key` nothing is remembered. `instance` is the path the
    caller asked.
    """

    caller: Annotated[str, Field(min_length=1, max_length=100)]
    person_id: UUID | None
    key: IdempotencyKey | None
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    instance: str
    traceparent: str | None = None
    command: C


def institution_caller(code: str) -> str:
    """Under which name an institution's receipts are kept."""
    return f"institution:{code}"


def citizen_caller(person_id: UUID) -> str:
    """Under which name a citizen's receipts are kept."""
    return f"citizen:{person_id}"


class Calls(Wire, Generic[C]):
    calls: Annotated[tuple[Call[C], ...], Field(min_length=1, max_length=1000, strict=False)]


class GivenAnswer(Wire):
    """The exact text for the caller, and its status."""

    status: int
    body: str
    replayed: bool
    retry_after: int | None = None


class GivenAnswers(Wire):
    answers: Annotated[tuple[GivenAnswer, ...], Field(strict=False)]


class IdentifyPerson(Wire):
    """Find a person by certificate; a name, if given, has to fit."""

    psn_cert_type: PsnCertType
    cert_no: CertNo
    name: ShortText | None = None


class FindPerson(Wire):
    """Find a person by number; the pool where the number alone is not enough."""

    psn_no: PsnNo
    pool_admdvs: Admdvs | None = None


class Enrolled(Wire):
    psn_no: PsnNo
    pool_admdvs: Admdvs
    insutype: str
    insured: bool


class PersonFacts(Wire):
    """A person as relations knows it, without number or name.

    `primary` is the enrolment that stands for the person (an active one first, employee before
    resident); `employee` the one with a personal account, which a sharer needs (R1). Who is not
    `of_age` consents through a guardian (R13).
    """

    person_id: UUID
    version: int
    primary: Enrolled
    employee: Enrolled | None
    name_masked: str
    born_on: date | None = None
    of_age: bool = True


class RelationOfPerson(Relation):
    """A relation with both persons, for the gateway's routing and checks."""

    sharer_id: UUID
    beneficiary_id: UUID


class RelationsOfPerson(Wire):
    items: Annotated[tuple[RelationOfPerson, ...], Field(strict=False)]


class FindPayments(Wire):
    """Payments by their ids, as a page of a list has them."""

    payment_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=200, strict=False)]


class FoundPayments(Fact):
    """In the order in which they were asked for; who is not there is left out."""

    payments: tuple[Payment, ...]


class WalletQuotas(Wire):
    items: Annotated[tuple[QuotaOfPerson, ...], Field(strict=False)]
    as_of: datetime


class PeriodAsked(Wire):
    """A month that is looked at, cut, issued or closed; the answer comes as a `GivenAnswer`.

    `instance` is the path the caller asked.
    """

    period: Month
    instance: str


class StatementAsked(PeriodAsked):
    """A statement of one tier: of a province or pool by its code, or of an institution by its."""

    tier: Tier
    admdvs: Admdvs | None = None
    institution: FixmedinsCode | None = None


class PrefundsAsked(Wire):
    """A page of prefunds, after the pair `debtor-creditor` that ended the page before."""

    limit: Annotated[int, Field(strict=True, ge=1, le=200)]
    after: Annotated[str, Field(pattern=r"^[0-9]{6}-[0-9]{6}$")] | None = None
    instance: str


class HistoryStep(Fact):
    """One thing that happened, as one service knows it; `rules` decided it, the foremost first.

    `seen_by` are callers (`institution_caller`, `citizen_caller`) who may see all of it; `shares`
    are those who see the Beijing day and their own part in fen alone: sharers.
    """

    at: datetime
    service: Literal["relations", "wallet", "settlement", "gateway"]
    type: str
    state: str | None = None
    amount_fen: Signed | None = None
    rules: tuple[str, ...] = ()
    reason: str | None = None
    refusal: str | None = None
    detail: str | None = None
    key: str | None = None
    relation_id: UUID | None = None
    quota_id: UUID | None = None
    payment_id: UUID | None = None
    refund_id: UUID | None = None
    person_id: UUID | None = None
    period: Month | None = None
    admdvs: Admdvs | None = None
    debtor: Admdvs | None = None
    creditor: Admdvs | None = None
    seen_by: tuple[str, ...] = ()
    shares: Mapping[str, Fen] = {}


class History(Fact):
    """What a service knows of some ids or a key, in no order.

    `payments` (with their opposite rows) and `relations` are what it is tied to: other services
    know more of them. Unless it `is_whole`, only the newest of very many steps are told.
    """

    steps: tuple[HistoryStep, ...]
    payments: tuple[UUID, ...] = ()
    relations: tuple[UUID, ...] = ()
    is_whole: bool = True
