"""A payment: what each sharer gave to it, and how far it has come.

    held ──▶ captured ──▶ refunded
      │          └──────▶ reversed
      ├──▶ released
      └──▶ expired

Allocations lie end to end in the order of deduction (R12). What is charged fills them from the
first, so a smaller capture frees the last first and a refund restores the last first (R31).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from contracts.public import Bill
from contracts.vocabulary import PaymentState, Premium, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What one sharer's quota gives to a payment, in fen; the debtor is the sharer's pool."""

    quota_id: UUID
    kind: str
    sharer_admdvs: str
    amount: int


class RefundKind(StrEnum):
    REFUND = "refund"
    REVERSAL = "reversal"
    RETAKE = "retake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """An opposite row to a payment, in the month it is cleared in (R22); `amount` in fen.

    `bill_before` is the bill that another one replaced; a retake names the refund it takes back.
    """

    refund_id: UUID
    payment_id: UUID
    kind: RefundKind
    amount: int
    reason: str
    bill_before: Bill | None
    retakes: UUID | None
    business_date: date
    period: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment with its three places (R18): of care, of the beneficiary, of each sharer.

    A premium has no place of care, no institution, no bill and no deadline. `amount` is what was
    held or paid at once, `captured` what became owed of it, `refunded` what was given back of
    that. `version` counts its changes.
    """

    payment_id: UUID
    person_id: UUID
    institution: str | None
    mdtrtarea_admvs: str | None
    insuplc_admdvs: str
    purpose: Purpose | Premium
    admission_id: str | None
    state: PaymentState
    requested: int
    amount: int
    captured: int
    refunded: int
    bill: Bill | None
    allocations: tuple[Allocation, ...]
    business_date: date
    period: str
    held_at: datetime
    captured_at: datetime | None
    expires_at: datetime | None
    version: int = 1

    def __post_init__(self) -> None:
        assert sum([allocation.amount for allocation in self.allocations]) == self.amount
        assert 0 <= self.refunded <= self.captured <= self.amount <= self.requested

    @property
    def owed_at(self) -> str:
        """Whose agency the sharers' pools owe: the place of care's, or a premium's fund (R15)."""
        return self.mdtrtarea_admvs or self.insuplc_admdvs

    @property
    def given(self) -> tuple[Allocation, ...]:
        """What is held of each sharer or, once it is captured, what each was charged."""
        if self.captured in (0, self.amount):
            return self.allocations
        return self.between(0, self.captured)

    @property
    def charged(self) -> int:
        """What was captured and not given back, in fen."""
        return self.captured - self.refunded

    @property
    def aid(self) -> int:
        """What mutual aid pays of the bill as things stand, in fen: what is held counts as paid."""
        if self.state is PaymentState.HELD:
            return self.amount
        return self.charged

    def between(self, low: int, high: int) -> tuple[Allocation, ...]:
        """What of each sharer lies between two marks of the running total, in fen."""
        assert 0 <= low <= high <= self.amount
        return _between(self.allocations, low, high)


def _between(allocations: Sequence[Allocation], low: int, high: int) -> tuple[Allocation, ...]:
    found = []
    start = 0
    for allocation in allocations:
        end = start + allocation.amount
        amount = min(end, high) - max(start, low)
        if amount == allocation.amount:
            found.append(allocation)
        elif amount > 0:
            found.append(
                Allocation(
                    quota_id=allocation.quota_id,
                    kind=allocation.kind,
                    sharer_admdvs=allocation.sharer_admdvs,
                    amount=amount,
                )
            )
        start = end
    return tuple(found)
