"""What the gateway hears of relations and wallet, for lists and timelines."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from contracts import events, topics
from contracts.vocabulary import PaymentState, QuotaState, RelationState
from gateway.domain.happenings import (
    Happening,
    KnownQuota,
    ListedPayment,
    RecordPayment,
    RecordQuota,
    RecordRelation,
    SharedAmount,
    state_after_refund,
)
from gateway.store.happenings import tell_read_up_to
from kit.consume import Handler, Poison, Reading, Record, Routed
from kit.postgres import Pool
from kit.progress import Reached, TellReached
from policy.calendar import beijing_day

FACT_TOPICS = (topics.RELATION.name, topics.QUOTA.name, topics.PAYMENT.name)
CELL = 0
CONNECTION_SECONDS = 0.5


def facts_reading() -> Reading:
    """Everything that becomes of a relation, a quota or a payment."""
    payments: dict[str, Handler] = {
        told.TYPE: _of_payment(told)
        for told in events.FROM_WALLET
        if issubclass(told, events.PaymentTold)
    }
    return Reading(
        handlers=payments
        | {
            events.RelationActivated.TYPE: _activated,
            events.RelationSuspended.TYPE: _suspended,
            events.RelationResumed.TYPE: _resumed,
            events.RelationEnded.TYPE: _ended,
            events.QuotaOpened.TYPE: _opened,
            events.QuotaGranted.TYPE: _granted,
            events.QuotaRefused.TYPE: _refused,
            events.QuotaEnded.TYPE: _quota_ended,
        },
        ignores={told.TYPE for told in (*events.FROM_WALLET, *events.FROM_RELATIONS)},
        belongs=_belongs,
    )


def keeping_progress(pool: Pool) -> TellReached:
    """Keeps how far was read, for `as_of`."""

    async def keep(reached: Reached) -> None:
        await tell_read_up_to(pool, reached, within=CONNECTION_SECONDS)

    return keep


def _belongs(record: Record) -> bool:
    if record.topic == topics.RELATION.name:
        return record.source == "/relations"
    return record.source.startswith("/wallet/cell-")


def _name_of(record: Record) -> str:
    """The type without its version: `payment.captured`."""
    return record.type.rpartition(".")[0]


def _activated(record: Record) -> Routed:
    body = events.RelationActivated.model_validate_json(record.body)
    persons = body.sharer.person_id, body.beneficiary.person_id
    return _of_relation(record, body.relation_id, persons, RelationState.ACTIVE)


def _suspended(record: Record) -> Routed:
    body = events.RelationSuspended.model_validate_json(record.body)
    persons = body.sharer_id, body.beneficiary_id
    return _of_relation(record, body.relation_id, persons, RelationState.SUSPENDED)


def _resumed(record: Record) -> Routed:
    body = events.RelationResumed.model_validate_json(record.body)
    persons = body.sharer_id, body.beneficiary_id
    return _of_relation(record, body.relation_id, persons, RelationState.ACTIVE)


def _ended(record: Record) -> Routed:
    body = events.RelationEnded.model_validate_json(record.body)
    persons = body.sharer_id, body.beneficiary_id
    return _of_relation(record, body.relation_id, persons, RelationState.ENDED)


def _of_relation(
    record: Record, relation_id: UUID, persons: tuple[UUID, UUID], state: RelationState
) -> Routed:
    command = RecordRelation(
        relation_id=relation_id,
        persons=frozenset(persons),
        event_id=record.command_id,
        at=record.time,
        type=_name_of(record),
        state=state,
    )
    return record.to(CELL, command, anchors=(_person_of(record),))


def _opened(record: Record) -> Routed:
    body = events.QuotaOpened.model_validate_json(record.body)
    quota = KnownQuota(
        quota_id=body.quota_id,
        relation_id=body.relation_id,
        sharer_id=body.sharer_id,
        beneficiary_id=body.beneficiary_id,
    )
    return _of_quota(record, body.quota_id, QuotaState.OPENED, opened=quota)


def _granted(record: Record) -> Routed:
    body = events.QuotaGranted.model_validate_json(record.body)
    return _of_quota(record, body.quota_id, QuotaState.ACTIVE, amount=body.amount_fen)


def _refused(record: Record) -> Routed:
    body = events.QuotaRefused.model_validate_json(record.body)
    state = QuotaState.ACTIVE if body.balances.granted_fen else QuotaState.REFUSED
    return _of_quota(record, body.quota_id, state, amount=body.amount_fen)


def _quota_ended(record: Record) -> Routed:
    body = events.QuotaEnded.model_validate_json(record.body)
    return _of_quota(record, body.quota_id, QuotaState.ENDED, amount=body.amount_fen)


def _of_quota(
    record: Record,
    quota_id: UUID,
    state: QuotaState,
    *,
    amount: int | None = None,
    opened: KnownQuota | None = None,
) -> Routed:
    command = RecordQuota(
        quota_id=quota_id,
        event_id=record.command_id,
        at=record.time,
        type=_name_of(record),
        state=state,
        amount=amount,
        opened=opened,
    )
    return record.to(CELL, command, anchors=(_person_of(record),))


STATES: Mapping[type[events.PaymentTold], PaymentState] = {
    events.PaymentHeld: PaymentState.HELD,
    events.PaymentReleased: PaymentState.RELEASED,
    events.PaymentExpired: PaymentState.EXPIRED,
}


def _state_after(body: events.PaymentTold) -> PaymentState:
    match body:
        case events.PaymentRefunded(receipt=receipt):
            return state_after_refund(left_fen=receipt.acct_mulaid_pay_fen)
        case events.PaymentReversed(reverses="capture"):
            return PaymentState.REVERSED
        case _:
            return STATES.get(type(body), PaymentState.CAPTURED)


def _listed(body: events.PaymentTold) -> ListedPayment | None:
    """Its place in a list when it is held, or captured without; None for what has one.

    A premium is paid to no institution.
    """
    if not body.institution:
        return None
    match body:
        case events.PaymentHeld(held_at=held_at):
            since = held_at
        case events.PaymentCaptured(captured_at=captured_at):
            since = captured_at
        case _:
            return None
    return ListedPayment(
        payment_id=body.payment_id,
        institution=body.institution,
        business_date=body.business_date,
        held_at=since,
    )


def _of_payment(told: type[events.PaymentTold]) -> Handler:
    def handler(record: Record) -> Routed:
        body = told.model_validate_json(record.body)
        if body.person_id != _person_of(record):
            raise Poison("key-is-not-the-person")
        return record.to(CELL, _payment_command(record, body), anchors=(body.person_id,))

    return handler


def _payment_command(record: Record, body: events.PaymentTold) -> RecordPayment:
    happening = Happening(
        person_id=body.person_id,
        event_id=record.command_id,
        at=record.time,
        type=_name_of(record),
        state=_state_after(body),
        payment_id=body.payment_id,
        amount=body.amount_fen,
    )
    shares = tuple(
        SharedAmount(
            quota_id=allocation.quota_id,
            event_id=record.command_id,
            on_day=beijing_day(record.time),
            type=_name_of(record),
            amount=allocation.amount_fen,
        )
        for allocation in body.allocations
    )
    return RecordPayment(happening=happening, shares=shares, listed=_listed(body))


def _person_of(record: Record) -> UUID:
    try:
        return UUID(record.key)
    except ValueError:
        raise Poison("bad-key") from None
