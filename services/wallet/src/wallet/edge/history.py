"""`GET /internal/history/{name}`: what the wallet knows of an id or a key, for explanations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from contracts import topics
from contracts.deciding import id_in, named_in, step_of_request
from contracts.internal import History, HistoryStep, citizen_caller, institution_caller
from contracts.vocabulary import IdempotencyKey, Text
from kit.answers import Answer
from kit.http import respond, service_token
from kit.receipts import KeptAnswer, answers_about, answers_under
from kit.transaction import Transaction
from wallet.domain.history import (
    PaymentKnown,
    QuotaKnown,
    ends_of,
    step_of_opening,
    steps_of_facts,
    steps_of_orders,
)
from wallet.edge.cells import Cells
from wallet.store.history import (
    facts_about,
    orders_of,
    payments_named,
    quotas_named,
    quotas_of_payments,
    rows_of_payments,
    wallets_opened,
)

MOST_STEPS = 500
"""Of each kind, in each cell: more are the life of somebody who is explained by payment."""

FACTS = (topics.QUOTA.name, topics.PAYMENT.name)


def history(cells: Cells, token: str) -> APIRouter:
    router = APIRouter(prefix="/internal", dependencies=[Depends(service_token(token))])

    @router.get("/history/{name:path}", response_model=History)
    async def read_history(name: IdempotencyKey, caller: Text | None = None) -> Response:
        """What happened to a payment, refund, quota, relation or person, or under a key.

        `caller` limits whose keys are looked at. Nothing known is an empty history. Amounts in fen.
        """
        found = History(steps=())
        for cell in range(len(cells.pools)):
            async with cells.reading(cell) as tx:
                found = joined(found, await _of_cell(tx, name, caller))
        return respond(Answer(status=200, body=found.model_dump_json()))

    return router


def joined(one: History, other: History) -> History:
    """What two cells know."""
    return History(
        steps=(*one.steps, *other.steps),
        payments=(*one.payments, *other.payments),
        relations=(*one.relations, *other.relations),
        is_whole=one.is_whole and other.is_whole,
    )


async def _of_cell(tx: Transaction, name: str, caller: str | None) -> History:
    kept = await answers_under(tx, name, caller, MOST_STEPS)
    ids = {found for each in kept for found in named_in(each.body)}
    if (own := id_in(name)) is not None:
        ids.add(own)
    if not ids:
        return _history(map(_of_request, kept))
    payments = await payments_named(tx, ids)
    asked = await quotas_named(tx, ids)
    gave = await quotas_of_payments(tx, [each.payment_id for each in payments])
    opened = await wallets_opened(tx, ids)
    facts = await _facts(tx, payments, asked, gave)
    orders = await _orders(tx, payments, asked, gave, ends_of(facts))
    paid = {step.payment_id for step in facts if step.payment_id is not None}
    rows = await rows_of_payments(tx, paid)
    about = {*paid, *rows, *(i for each in asked for i in (each.quota_id, each.relation_id))}
    known = await answers_about(tx, _callers(payments, asked), about, MOST_STEPS)
    requests = {(each.caller, each.scope, each.key): each for each in (*kept, *known)}
    steps = [*facts, *orders, *map(_of_request, requests.values())]
    steps += [step_of_opening(person_id, at) for person_id, at in opened.items()]
    is_whole = max(len(facts), len(orders) // 3, len(known)) < MOST_STEPS
    return _history(steps, (*paid, *rows), [each.relation_id for each in asked], is_whole)


def _history(
    steps: Iterable[HistoryStep],
    payments: Iterable[UUID] = (),
    relations: Iterable[UUID] = (),
    is_whole: bool = True,
) -> History:
    return History(
        steps=tuple(steps),
        payments=tuple(payments),
        relations=tuple(relations),
        is_whole=is_whole,
    )


async def _facts(
    tx: Transaction,
    payments: Sequence[PaymentKnown],
    asked: Sequence[QuotaKnown],
    gave: Sequence[QuotaKnown],
) -> list[HistoryStep]:
    persons = {each.person_id for each in payments} | {each.beneficiary_id for each in asked}
    named = {*(each.payment_id for each in payments), *(each.quota_id for each in asked)}
    facts = await facts_about(tx, FACTS, persons, named, MOST_STEPS)
    quotas = {quota.quota_id: quota for quota in (*gave, *asked)}
    reasons = {each.payment_id: each.reason for each in payments if each.reason is not None}
    return steps_of_facts(facts, quotas, reasons)


async def _orders(
    tx: Transaction,
    payments: Sequence[PaymentKnown],
    asked: Sequence[QuotaKnown],
    gave: Sequence[QuotaKnown],
    ended_at: Mapping[UUID, datetime],
) -> list[HistoryStep]:
    """All orders about the quotas asked for, and those for the payments about the others."""
    of_quotas = await orders_of(tx, [each.quota_id for each in asked], None, MOST_STEPS)
    of_payments = await orders_of(
        tx,
        [each.quota_id for each in gave],
        [each.payment_id for each in payments],
        MOST_STEPS,
    )
    orders = {order.order_id: order for order in (*of_quotas, *of_payments)}
    quotas = {quota.quota_id: quota for quota in (*gave, *asked)}
    return steps_of_orders(list(orders.values()), quotas, ended_at)


def _callers(
    payments: Sequence[PaymentKnown], quotas: Sequence[QuotaKnown]
) -> set[tuple[str, UUID]]:
    """Who may have asked for it, and about whom."""
    found = {
        (citizen_caller(person), person)
        for quota in quotas
        for person in (quota.sharer_id, quota.beneficiary_id)
    }
    for payment in payments:
        found.add((citizen_caller(payment.person_id), payment.person_id))
        if payment.institution is not None:
            found.add((institution_caller(payment.institution), payment.person_id))
    return found


def _of_request(kept: KeptAnswer) -> HistoryStep:
    return step_of_request(
        "wallet",
        caller=kept.caller,
        key=kept.key,
        status=kept.status,
        body=kept.body,
        at=kept.answered_at,
    )
