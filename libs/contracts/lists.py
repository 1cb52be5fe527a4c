"""Lists: from what the gateway was told, they may lag, and say until when they hold.

Newest first; a cursor is what the page before gave as `next_cursor`. An explanation is a story and
goes the other way.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from contracts.public import Payment, QuotaOfPerson
from contracts.vocabulary import Admdvs, Fact, Fen, Month, Signed


class QuotasOfPerson(Fact):
    """The one list that never lags: the wallet itself is asked."""

    items: tuple[QuotaOfPerson, ...]
    next_cursor: str | None
    as_of: datetime


class PaymentsListed(Fact):
    """An institution's payments of a day, newest first; it may lag, `as_of` says how much."""

    items: tuple[Payment, ...]
    next_cursor: str | None
    as_of: datetime


class TimelineItem(Fact):
    """Something that happened: `type` is the event, `state` what the thing became by it.

    Of what a sharer gave to a payment there are type, amount and, as `at`, the Beijing day alone.
    """

    type: str
    at: datetime | date
    relation_id: UUID | None = None
    quota_id: UUID | None = None
    payment_id: UUID | None = None
    state: str | None = None
    amount_fen: Fen | None = None


class Timeline(Fact):
    """What happened to somebody, newest first; it may lag, `as_of` says how much."""

    items: tuple[TimelineItem, ...]
    next_cursor: str | None
    as_of: datetime


class RuleNamed(Fact):
    """A rule of docs/rules.md, in both languages."""

    id: str
    text: str
    text_zh: str


class RefusalNamed(Fact):
    """Why something did not happen."""

    code: str
    title: str
    title_zh: str
    detail: str


class ExplainedStep(Fact):
    """One thing that happened, which service says so, and by which rules, the foremost first.

    Of what a sharer gave to a payment there are type, rules, amount and, as `at`, the Beijing day.
    """

    at: datetime | date
    service: Literal["relations", "wallet", "settlement", "gateway"]
    type: str
    state: str | None = None
    amount_fen: Signed | None = None
    rules: tuple[RuleNamed, ...]
    refusal: RefusalNamed | None = None
    reason: str | None = None
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


class PartMissing(Fact):
    """What an explanation lacks: a service that did not answer in time, or its older steps."""

    service: Literal["relations", "wallet", "settlement", "gateway"]
    why: Literal["unavailable", "too_many"]


class Explanation(Fact):
    """What became of something, oldest first, over all services; `missing` is not in it."""

    items: tuple[ExplainedStep, ...]
    missing: tuple[PartMissing, ...]
    as_of: datetime
