"""What became of a payment, a quota or a person's wallet, and which rule decided each step.

What was told is what happened, in the same transaction; orders to provinces and their answers
stand beside it. A sharer sees of a payment the own part alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts import events
from contracts.internal import HistoryStep, citizen_caller, institution_caller
from contracts.vocabulary import PaymentState, QuotaState

LAPSED = {
    "will": ("R3", "R6"),
    "merged": ("R6",),
    "deceased": ("R36", "R6"),
    "ended": ("R5", "R6"),
    "moved": ("R5", "R6"),
}
"""Why a relation ended → the rules by which its quota did."""

OF_CARE = {
    events.PaymentHeld.TYPE: ("R12", "R11"),
    events.PaymentCaptured.TYPE: ("R11", "R12"),
    events.PaymentReleased.TYPE: ("R31",),
    events.PaymentExpired.TYPE: ("R31", "R33"),
    events.PaymentRefunded.TYPE: ("R22", "R31"),
    events.PaymentReversed.TYPE: ("R23", "R31"),
}
OF_PREMIUM = {
    events.PaymentHeld.TYPE: ("R10", "R12"),
    events.PaymentCaptured.TYPE: ("R10",),
    events.PaymentReleased.TYPE: ("R10", "R31"),
    events.PaymentRefunded.TYPE: ("R31",),
}
STATES = {
    events.PaymentHeld.TYPE: PaymentState.HELD,
    events.PaymentCaptured.TYPE: PaymentState.CAPTURED,
    events.PaymentReleased.TYPE: PaymentState.RELEASED,
    events.PaymentExpired.TYPE: PaymentState.EXPIRED,
}
ORDERED = {"freeze": ("R9",), "debit": ("R7",), "credit": ("R31",)}
ANSWERED = {
    ("freeze", "confirmed"): ("R7",),
    ("freeze", "refused"): ("R8",),
    ("debit", "confirmed"): ("R7",),
    ("credit", "confirmed"): ("R31",),
    ("credit", "refused"): ("R31", "R34"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaKnown:
    """Whose quota it is, and for whom."""

    quota_id: UUID
    relation_id: UUID
    sharer_id: UUID
    beneficiary_id: UUID

    @property
    def both(self) -> tuple[str, str]:
        return citizen_caller(self.sharer_id), citizen_caller(self.beneficiary_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentKnown:
    """Whose payment it is, and where; `reason` is what the fund of a premium said against it."""

    payment_id: UUID
    person_id: UUID
    institution: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFact:
    """An event of the outbox, as it was told."""

    type: str
    data: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order to a sharer's province, and what became of it; `amount` in fen."""

    order_id: UUID
    quota_id: UUID
    kind: str
    amount: int
    payment_id: UUID | None
    refund_id: UUID | None
    state: str
    reason: str | None
    sent_at: datetime
    asks: int
    parked_at: datetime | None
    parked_because: str | None
    answered_at: datetime | None


Quotas = Mapping[UUID, QuotaKnown]


def steps_of_facts(
    facts: Sequence[ToldFact], quotas: Quotas, reasons: Mapping[UUID, str]
) -> list[HistoryStep]:
    """A step a fact; `reasons` are what funds said of premiums, by payment."""
    steps = []
    for fact in facts:
        told = _TOLD[fact.type].model_validate_json(fact.data)
        if isinstance(told, events.PaymentTold):
            steps.append(_of_payment(fact, told, quotas, reasons))
        elif (quota := quotas.get(_quota_of(told))) is not None:
            steps.append(_of_quota(fact, told, quota))
    return steps


_TOLD = {told.TYPE: told for told in events.FROM_WALLET}


def _quota_of(told: Any) -> UUID:
    quota_id: UUID = told.quota_id
    return quota_id


def _of_payment(
    fact: ToldFact, told: events.PaymentTold, quotas: Quotas, reasons: Mapping[UUID, str]
) -> HistoryStep:
    shares: dict[str, int] = {}
    for part in told.allocations:
        if (quota := quotas.get(part.quota_id)) is not None:
            sharer = citizen_caller(quota.sharer_id)
            shares[sharer] = shares.get(sharer, 0) + part.amount_fen
    seen_by = [citizen_caller(told.person_id)]
    if told.institution:
        seen_by.append(institution_caller(told.institution))
    is_released = isinstance(told, events.PaymentReleased)
    return HistoryStep(
        at=fact.at,
        service="wallet",
        type=_name(fact.type),
        state=STATES.get(fact.type),
        amount_fen=told.amount_fen,
        rules=_rules_of(fact.type, told),
        reason=reasons.get(told.payment_id) if is_released else None,
        payment_id=told.payment_id,
        refund_id=getattr(told, "refund_id", None),
        period=getattr(told, "period", None),
        seen_by=tuple(seen_by),
        shares=shares,
    )


def _rules_of(type_: str, told: events.PaymentTold) -> tuple[str, ...]:
    table = OF_CARE if told.institution else OF_PREMIUM
    return table.get(type_, ("R31",))


def _of_quota(fact: ToldFact, told: Any, quota: QuotaKnown) -> HistoryStep:
    state, amount, reason = QuotaState.OPENED, None, None
    rules: tuple[str, ...] = ("R3", "R7")
    if isinstance(told, events.QuotaGranted):
        state, amount, rules = QuotaState.ACTIVE, told.amount_fen, ("R7",)
    elif isinstance(told, events.QuotaRefused):
        stands = bool(told.balances.granted_fen)
        state = QuotaState.ACTIVE if stands else QuotaState.REFUSED
        amount, reason, rules = told.amount_fen, told.reason, ("R8",)
    elif isinstance(told, events.QuotaEnded):
        state, amount, reason = QuotaState.ENDED, told.amount_fen, told.reason
        rules = LAPSED[told.reason]
    return HistoryStep(
        at=fact.at,
        service="wallet",
        type=_name(fact.type),
        state=state,
        amount_fen=amount,
        rules=rules,
        reason=reason,
        quota_id=quota.quota_id,
        relation_id=quota.relation_id,
        seen_by=quota.both,
    )


def steps_of_orders(
    orders: Sequence[Ordered], quotas: Quotas, ended_at: Mapping[UUID, datetime]
) -> list[HistoryStep]:
    """An order and its answer, if there is one; of a payment's the sharer sees day and amount."""
    steps = []
    for order in orders:
        quota = quotas[order.quota_id]
        ended = ended_at.get(order.quota_id)
        # What a sharer lowers is returned by R9, what is unused at an end by R6.
        back = ("R6", "R31") if ended is not None and ended <= order.sent_at else ("R9",)
        asked = ORDERED.get(order.kind, back)
        steps.append(_of_order(order, quota, order.sent_at, "ordered", asked))
        if order.parked_at is not None:
            steps.append(_of_order(order, quota, order.parked_at, "parked", asked))
        if order.answered_at is not None:
            rules = ANSWERED.get((order.kind, order.state), back)
            steps.append(_of_order(order, quota, order.answered_at, order.state, rules))
    return steps


def _of_order(
    order: Ordered, quota: QuotaKnown, at: datetime, state: str, rules: tuple[str, ...]
) -> HistoryStep:
    of_payment = order.payment_id is not None
    sharer = citizen_caller(quota.sharer_id)
    reasons = {"parked": order.parked_because, "refused": order.reason}
    return HistoryStep(
        at=at,
        service="wallet",
        type=f"account.{order.kind}-{state}",
        state=state,
        amount_fen=order.amount,
        rules=rules,
        reason=reasons.get(state),
        quota_id=order.quota_id,
        payment_id=order.payment_id,
        refund_id=order.refund_id,
        seen_by=() if of_payment else quota.both,
        shares={sharer: order.amount} if of_payment else {},
    )


def step_of_opening(person_id: UUID, at: datetime) -> HistoryStep:
    """A person opened the wallet."""
    return HistoryStep(
        at=at,
        service="wallet",
        type="wallet.opened",
        rules=("R29",),
        person_id=person_id,
        seen_by=(citizen_caller(person_id),),
    )


def ends_of(steps: Sequence[HistoryStep]) -> dict[UUID, datetime]:
    """When quotas ended, as far as these steps say."""
    return {
        step.quota_id: step.at
        for step in steps
        if step.quota_id is not None and step.type == _name(events.QuotaEnded.TYPE)
    }


def _name(type_: str) -> str:
    """The type without its version: `payment.captured`."""
    return type_.rpartition(".")[0]
