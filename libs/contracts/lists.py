"""Lists: from what the gateway was told, they may lag, and say until when they hold.

Newest first; a cursor is what the page before gave as `next_cursor`.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from contracts.public import Payment, QuotaOfPerson
from contracts.vocabulary import Fact, Fen


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
