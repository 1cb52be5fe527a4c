"""What a payment became in the books of its month, and which rule decided each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.internal import HistoryStep, institution_caller

REACHED = ("cut", "balanced", "issued", "confirmed", "paid", "closed")
OF_MONTHS = {"cut": ("R15", "R33"), "closed": ("R15", "R17")}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineKnown:
    """A line, in fen: above 0 owed, below 0 given back."""

    cause_id: UUID
    quota_id: UUID
    payment_id: UUID
    period: str
    captured_period: str
    debtor: str
    creditor: str
    debtor_province: str
    creditor_province: str
    kind: str
    institution: str
    amount: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthKnown:
    """When a month reached each of its states."""

    period: str
    cut_at: datetime
    balanced_at: datetime | None
    issued_at: datetime | None
    confirmed_at: datetime | None
    paid_at: datetime | None
    closed_at: datetime | None


def steps_of_lines(lines: Sequence[LineKnown]) -> list[HistoryStep]:
    """A step a line: the institution sees its own, no citizen any."""
    return [
        HistoryStep(
            at=line.at,
            service="settlement",
            type="line.recorded",
            state="given_back" if line.amount < 0 else "owed",
            amount_fen=line.amount,
            rules=_rules_of(line),
            quota_id=line.quota_id,
            payment_id=line.payment_id,
            refund_id=None if line.cause_id == line.payment_id else line.cause_id,
            period=line.period,
            debtor=line.debtor,
            creditor=line.creditor,
            seen_by=_seen_by([line]),
        )
        for line in lines
    ]


def _rules_of(line: LineKnown) -> tuple[str, ...]:
    rules = ("R22", "R15") if line.cause_id != line.payment_id else ("R15", "R18")
    # Only between provinces does a prefund secure it.
    return rules if line.debtor_province == line.creditor_province else (*rules, "R16")


def steps_of_months(
    months: Sequence[MonthKnown], lines: Mapping[str, Sequence[LineKnown]]
) -> list[HistoryStep]:
    """How far the months of these lines are."""
    return [
        HistoryStep(
            at=at,
            service="settlement",
            type=f"period.{state}",
            state=state,
            rules=OF_MONTHS.get(state, ("R15",)),
            period=month.period,
            seen_by=_seen_by(lines[month.period]),
        )
        for month in months
        for state in REACHED
        if (at := getattr(month, f"{state}_at")) is not None
    ]


def _seen_by(lines: Sequence[LineKnown]) -> tuple[str, ...]:
    codes = sorted({line.institution for line in lines} - {""})
    return tuple(institution_caller(code) for code in codes)
