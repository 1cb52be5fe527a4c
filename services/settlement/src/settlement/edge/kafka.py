"""What settlement hears: the wallet of payments and cuts, provinces of statements and prefunds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeVar
from uuid import NAMESPACE_URL, uuid5

import orjson

from contracts import events, topics
from kit.consume import Handler, Poison, Reading, Record, Routed
from kit.ids import named_id
from settlement.domain.commands import (
    RecordAnswer,
    RecordCut,
    RecordLine,
    RecordTopUp,
    RecordTransfer,
)
from settlement.domain.line import cell_of_text
from settlement.domain.told import CapturedTold, PaymentTold, RefundedTold, ReversedTold

PAYMENT_TOPICS = (topics.PAYMENT.name,)
PERIOD_TOPICS = (topics.PERIOD.name,)
PROVINCE_TOPICS = tuple(topic.name for topic in topics.FROM_PROVINCES)

CELL = 0
"""Settlement does not divide."""

SETTLEMENT = uuid5(NAMESPACE_URL, "urn:gongji:settlement")
"""The one anchor: whatever settlement writes, it writes under this lock (decision 8)."""

FROM_A_CELL = "/wallet/cell-"


def payments_reading() -> Reading:
    """Captures and what undoes them; the other facts of a payment owe nobody anything."""
    return Reading(
        handlers={
            events.PaymentCaptured.TYPE: _captured,
            events.PaymentRefunded.TYPE: _refunded,
            events.PaymentReversed.TYPE: _reversed,
        },
        ignores={told.TYPE for told in events.FROM_WALLET},
        belongs=lambda record: record.source.startswith(FROM_A_CELL),
    )


def _captured(record: Record) -> Routed:
    told = _read(CapturedTold, record)
    return _line(record, told, told.payment_id, told.captured_at)


def _refunded(record: Record) -> Routed:
    told = _read(RefundedTold, record)
    return _line(record, told, told.refund_id, told.refunded_at, sign=-1)


def _reversed(record: Record) -> Routed:
    """Of a capture: it is given back. Of a refund: it is owed again."""
    told = _read(ReversedTold, record)
    sign: Literal[1, -1] = -1 if told.reverses == "capture" else 1
    return _line(record, told, told.row_id or told.refund_id, told.reversed_at, sign=sign)


Told = TypeVar("Told", bound=PaymentTold)


def _read(model: type[Told], record: Record) -> Told:
    told = model.model_validate_json(record.body)
    if told.person_id != record.key:
        raise Poison("key-is-not-the-person")
    if sum([part.amount_fen for part in told.allocations]) != told.amount_fen:
        raise Poison("amount-is-not-the-sum")
    return told


def _line(
    record: Record,
    told: PaymentTold,
    cause_id: str,
    happened_at: datetime,
    *,
    sign: Literal[1, -1] = 1,
) -> Routed:
    cell = cell_of_text(told.payment_id)
    if cell is None or record.source != f"{FROM_A_CELL}{cell}":
        raise Poison("foreign-cell", f"the payment is of cell {cell}")
    command = RecordLine(
        payment=told, cause_id=cause_id, cell=cell, happened_at=happened_at, sign=sign
    )
    return record.to(CELL, command, anchors=(SETTLEMENT,))


def periods_reading() -> Reading:
    """What each cell says that its month adds up to."""
    return Reading(
        handlers={events.PeriodCut.TYPE: _cut},
        ignores={told.TYPE for told in events.FROM_WALLET},
        belongs=lambda record: record.source.startswith(FROM_A_CELL),
    )


def _cut(record: Record) -> Routed:
    cut = events.PeriodCut.model_validate_json(record.body)
    if cut.period != record.key:
        raise Poison("key-is-not-the-month")
    if record.source != f"{FROM_A_CELL}{cut.cell}":
        raise Poison("foreign-cell", f"it tells of cell {cut.cell}")
    return record.to(CELL, RecordCut(cut=cut), anchors=(SETTLEMENT,))


def provinces_reading() -> Reading:
    """What provinces say of statements, transfers and prefunds.

    What a province sends that makes no sense is parked by relations, so it is passed over here.
    """
    return Reading(
        handlers={
            events.ClearingAnswered.TYPE: _said(_answered),
            events.ClearingPaid.TYPE: _said(_paid),
            events.PrefundToppedUp.TYPE: _said(_topped_up),
        },
        parks_bad=False,
        sequenced=False,
        belongs=lambda record: record.source == f"/provinces/{province_of_topic(record.topic)}",
    )


def province_of_topic(topic: str) -> str:
    return topic.removeprefix("from.")


def _said(translate: Callable[[str, Record], object]) -> Handler:
    def handler(record: Record) -> Routed:
        command = translate(province_of_topic(record.topic), record)
        return record.to(CELL, command, anchors=(SETTLEMENT,))

    return handler


def _answered(province: str, record: Record) -> RecordAnswer:
    told = events.ClearingAnswered.model_validate_json(record.body)
    lines = None if told.lines is None else orjson.dumps(told.lines).decode()
    return RecordAnswer(
        answer_id=named_id(record.command_id, f"{told.period} {told.version} {told.answer}"),
        province=province,
        period=told.period,
        version=told.version,
        answer=told.answer,
        lines=lines,
    )


def _paid(province: str, record: Record) -> RecordTransfer:
    told = events.ClearingPaid.model_validate_json(record.body)
    said = (told.period, told.version, told.tier, told.payer, told.payee, told.amount_fen)
    return RecordTransfer(
        # By event and content: a core may tell of several transfers under one id.
        transfer_id=named_id(record.command_id, f"{said} {told.paid_on}"),
        province=province,
        period=told.period,
        version=told.version,
        tier=told.tier,
        payer=told.payer,
        payee=told.payee,
        amount=told.amount_fen,
        paid_on=told.paid_on,
    )


def _topped_up(province: str, record: Record) -> RecordTopUp:
    told = events.PrefundToppedUp.model_validate_json(record.body)
    return RecordTopUp(
        top_up_id=named_id(record.command_id, f"{told.counterpart} {told.amount_fen}"),
        debtor=province,
        creditor=told.counterpart,
        amount=told.amount_fen,
    )
