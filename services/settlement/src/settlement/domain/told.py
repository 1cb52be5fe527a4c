"""What settlement reads of the wallet's payments: the fields that make a line, and no others.

A backlog is drained a million at a time, and the whole model of an event costs twice this one.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from contracts.vocabulary import Admdvs, Fact, Month, PaidFor, PositiveFen

IdText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
"""A UUID as the wallet writes it: the text that a line's hash is taken of."""


class PartTold(Fact):
    quota_id: IdText
    sharer_admdvs: Admdvs
    amount_fen: PositiveFen


class PaymentTold(Fact):
    payment_id: IdText
    person_id: IdText
    institution: str
    mdtrtarea_admvs: Admdvs
    purpose: PaidFor
    business_date: date
    period: Month
    amount_fen: PositiveFen
    allocations: tuple[PartTold, ...]


class CapturedTold(PaymentTold):
    captured_at: datetime


class RefundedTold(PaymentTold):
    refund_id: IdText
    refunded_at: datetime


class ReversedTold(PaymentTold):
    """`row_id` is missing in events of former times, when a capture's reversal was `refund_id`."""

    reverses: Literal["capture", "refund"]
    refund_id: IdText
    row_id: IdText | None = None
    reversed_at: datetime
