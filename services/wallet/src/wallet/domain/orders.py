"""Orders to the provinces: what a sharer's account has to do after the books have moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts import events, topics
from contracts.vocabulary import QuotaState
from kit.work import Event
from wallet.domain.books import Books, Quota
from wallet.domain.facts import told
from wallet.domain.payment import Allocation, Payment, Refund


class OrderKind(StrEnum):
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    DEBIT = "debit"
    CREDIT = "credit"


class OrderState(StrEnum):
    SENT = "sent"
    GIVEN_UP = "given_up"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOrder:
    """What a province was asked to do to a sharer's account. `amount` in fen.

    `sharer_admdvs` is the pool whose province was asked: nobody else's answer counts. A credit
    `freezes` what it gives back while the relation lives (R31). A silent province is told again
    under the same id: `asks` counts, and one that is parked waits for a clerk.
    """

    order_id: UUID
    quota_id: UUID
    beneficiary_id: UUID
    sharer_admdvs: str
    kind: OrderKind
    amount: int
    payment_id: UUID | None = None
    refund_id: UUID | None = None
    freezes: bool | None = None
    state: OrderState = OrderState.SENT
    reason: str | None = None
    asks: int = 1
    asked_at: datetime | None = None
    parked_at: datetime | None = None
    parked_because: str | None = None

    @property
    def is_parked(self) -> bool:
        return self.state is OrderState.SENT and self.parked_at is not None


def order_of(
    books: Books, quota: Quota, kind: OrderKind, amount: int, *, payment_id: UUID | None = None
) -> AccountOrder:
    """An order to the sharer's province; R34: to the pool where the money lies, for ever."""
    return AccountOrder(
        order_id=books.new_id(),
        quota_id=quota.quota_id,
        beneficiary_id=quota.beneficiary_id,
        sharer_admdvs=quota.sharer_admdvs,
        kind=kind,
        amount=amount,
        payment_id=payment_id,
    )


def to_its_province(books: Books, quota: Quota, order: AccountOrder, body: events.Told) -> Event:
    """The event that tells the sharer's province of an order."""
    topic = topics.to_province(books.province_of(quota.sharer_admdvs))
    return events.event(topic, quota.quota_id, order.order_id, body)


def freeze_event(books: Books, quota: Quota, order: AccountOrder) -> Event:
    body = events.FreezeRequested(
        freeze_id=order.order_id,
        quota_id=quota.quota_id,
        psn_no=quota.sharer_psn_no,
        pool_admdvs=quota.sharer_admdvs,
        amount_fen=order.amount,
    )
    return to_its_province(books, quota, order, body)


def unfreeze_event(books: Books, quota: Quota, order: AccountOrder) -> Event:
    body = events.UnfreezeOrdered(
        order_id=order.order_id,
        quota_id=quota.quota_id,
        psn_no=quota.sharer_psn_no,
        pool_admdvs=quota.sharer_admdvs,
        amount_fen=order.amount,
    )
    return to_its_province(books, quota, order, body)


def debit_event(books: Books, quota: Quota, order: AccountOrder, payment: Payment) -> Event:
    content = {
        "order_id": order.order_id,
        "quota_id": quota.quota_id,
        "payment_id": payment.payment_id,
        "psn_no": quota.sharer_psn_no,
        "pool_admdvs": quota.sharer_admdvs,
        "amount_fen": order.amount,
        "mdtrtarea_admvs": payment.owed_at,
        "purpose": payment.purpose,
        "captured_at": payment.captured_at,
    }
    topic = topics.to_province(books.province_of(quota.sharer_admdvs))
    return told(topic, quota.quota_id, order.order_id, events.DebitOrdered, content)


def credit_event(books: Books, quota: Quota, order: AccountOrder) -> Event:
    assert order.payment_id is not None
    assert order.refund_id is not None
    assert order.freezes is not None
    body = events.CreditOrdered(
        order_id=order.order_id,
        quota_id=quota.quota_id,
        payment_id=order.payment_id,
        refund_id=order.refund_id,
        psn_no=quota.sharer_psn_no,
        pool_admdvs=quota.sharer_admdvs,
        amount_fen=order.amount,
        freeze=order.freezes,
    )
    return to_its_province(books, quota, order, body)


def debits(
    books: Books, payment: Payment, charged: Sequence[Allocation]
) -> tuple[tuple[AccountOrder, ...], list[Event]]:
    """Every sharer's province is told to take what was charged off the frozen account."""
    orders, facts = [], []
    for allocation in charged:
        quota = books.quotas[allocation.quota_id]
        order = order_of(
            books, quota, OrderKind.DEBIT, allocation.amount, payment_id=payment.payment_id
        )
        orders.append(order)
        facts.append(debit_event(books, quota, order, payment))
    return tuple(orders), facts


def credits(
    books: Books, refund: Refund, given_back: Sequence[Allocation]
) -> tuple[tuple[AccountOrder, ...], tuple[Event, ...]]:
    """Every sharer's province is told to give back and, while the relation lives, to freeze."""
    orders, facts = [], []
    for part in given_back:
        quota = books.quotas[part.quota_id]
        freezes = quota.state is not QuotaState.ENDED
        order = replace(
            order_of(books, quota, OrderKind.CREDIT, part.amount, payment_id=refund.payment_id),
            refund_id=refund.refund_id,
            freezes=freezes,
        )
        orders.append(order)
        facts.append(credit_event(books, quota, order))
    return tuple(orders), tuple(facts)
