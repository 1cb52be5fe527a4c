"""Facts told once a payment, from plain content: a tenth of what a model would cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from contracts import events, topics
from contracts.events import Told
from contracts.topics import Topic
from kit.answers import render
from kit.work import Event
from wallet.domain.books import Books
from wallet.domain.payment import Allocation, Payment, Refund
from wallet.domain.views import allocations_view, balances_view, payment_receipt


def told(topic: Topic, key: object, subject: object, kind: type[Told], content: object) -> Event:
    """An event of this kind; tests hold the content against the kind's model."""
    return Event(
        topic=topic.name,
        key=str(key),
        type=kind.TYPE,
        subject=str(subject),
        data=render(content).encode(),
    )


def held(books: Books, payment: Payment) -> Event:
    return _of_payment(
        books,
        payment,
        events.PaymentHeld,
        payment.allocations,
        admission_id=payment.admission_id,
        held_at=payment.held_at,
        expires_at=payment.expires_at,
    )


def captured(books: Books, payment: Payment) -> Event:
    """What is owed, sharer by sharer; the balances are of everybody who had set something aside."""
    return _of_payment(
        books,
        payment,
        events.PaymentCaptured,
        payment.given,
        period=payment.period,
        captured_at=payment.captured_at,
        receipt=payment_receipt(payment),
    )


def released(books: Books, payment: Payment) -> Event:
    now = books.moment.now
    return _of_payment(books, payment, events.PaymentReleased, payment.allocations, released_at=now)


def refunded(books: Books, payment: Payment, refund: Refund, parts: Sequence[Allocation]) -> Event:
    return _of_payment(
        books,
        payment,
        events.PaymentRefunded,
        parts,
        refund_id=refund.refund_id,
        period=refund.period,
        refunded_at=refund.at,
        receipt=payment_receipt(payment),
    )


def reversed_(
    books: Books,
    payment: Payment,
    opposite: Refund,
    parts: Sequence[Allocation],
    reverses: Literal["capture", "refund"],
) -> Event:
    """`opposite` is the row that undoes it: of a refund that is charged again, its retake."""
    return _of_payment(
        books,
        payment,
        events.PaymentReversed,
        parts,
        reverses=reverses,
        refund_id=opposite.retakes or opposite.refund_id,
        row_id=opposite.refund_id,
        period=opposite.period,
        reversed_at=opposite.at,
        receipt=payment_receipt(payment),
    )


def expired(books: Books, payment: Payment) -> Event:
    now = books.moment.now
    return _of_payment(books, payment, events.PaymentExpired, payment.allocations, expired_at=now)


def _of_payment(
    books: Books,
    payment: Payment,
    kind: type[events.PaymentTold],
    parts: Sequence[Allocation],
    **more: object,
) -> Event:
    content = {
        "payment_id": payment.payment_id,
        "person_id": payment.person_id,
        "institution": payment.institution or "",
        "mdtrtarea_admvs": payment.owed_at,
        "insuplc_admdvs": payment.insuplc_admdvs,
        "purpose": payment.purpose,
        "business_date": payment.business_date,
        "amount_fen": sum([part.amount for part in parts]),
        "allocations": allocations_view(parts),
        "balances": [
            balances_view(books.quotas[allocation.quota_id]) for allocation in payment.allocations
        ],
        **more,
    }
    return told(topics.PAYMENT, payment.person_id, payment.payment_id, kind, content)
