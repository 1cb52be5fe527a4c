"""What was asked under a key, as far as its answer tells: the answer itself is what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import orjson

from contracts.vocabulary import PaymentState
from kit.answers import Answer
from wallet.domain.payment import Refund


class Asked(StrEnum):
    """Which kind of request a key stood for."""

    PAYMENT = "payment"  # paid or held, or captured later: the payment as a whole
    REFUND = "refund"
    REFUSED = "refused"  # it had no effect
    OTHER = "other"  # an extension, a release, a reversal: nothing to undo


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The request that a reversal is about."""

    asked: Asked
    payment_id: UUID | None = None
    refund_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversed:
    """A key that was reversed; without a payment it was withdrawn before anything was asked."""

    caller: str
    person_id: UUID
    original_key: str
    payment_id: UUID | None
    refund_id: UUID | None
    at: datetime

    @property
    def name(self) -> tuple[str, UUID, str]:
        """Of the receipt that the key has."""
        return self.caller, self.person_id, self.original_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of a key: whether it was reversed, what was asked, and the payment's refunds.

    `original` is None where nothing was asked under it yet; refunds come oldest first.
    """

    before: Reversed | None
    original: Original | None
    refunds: Sequence[Refund] = ()


def original_of(given: Answer) -> Original:
    """What an answer that was kept says was asked."""
    if given.status >= 400:
        return Original(asked=Asked.REFUSED)
    told = orjson.loads(given.body)
    if "refund_id" in told:
        return Original(
            asked=Asked.REFUND,
            payment_id=UUID(told["payment_id"]),
            refund_id=UUID(told["refund_id"]),
        )
    made = given.status == 201 or told.get("state") == PaymentState.CAPTURED
    if "payment_id" in told and "outcome" not in told and made:
        return Original(asked=Asked.PAYMENT, payment_id=UUID(told["payment_id"]))
    return Original(asked=Asked.OTHER)
