"""What the wallet hears: relations' facts about people, provinces' answers about accounts."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from contracts import events, topics
from contracts.commands import PersonSnapshot
from kit.consume import Handler, Poison, Reading, Record, Routed
from wallet.domain.books import Registration
from wallet.domain.commands import (
    EndQuota,
    OpenQuota,
    RecordFreeze,
    RecordOrderAnswer,
    RecordPerson,
    RecordPremiumAnswer,
    RecordRegistration,
    SuspendQuota,
)
from wallet.domain.orders import OrderKind
from wallet.domain.premium import PremiumState
from wallet.edge.cells import Cells

RELATIONS_TOPICS = (topics.RELATION.name, topics.PERSON.name)
PROVINCE_TOPICS = tuple(topic.name for topic in topics.FROM_PROVINCES)


def relations_reading(cells: Cells) -> Reading:
    """Facts of relations, each about one person, whose cell they go to."""
    return Reading(
        handlers={
            events.RelationActivated.TYPE: _about(cells, _activated),
            events.RelationSuspended.TYPE: _about(cells, _suspended),
            events.RelationResumed.TYPE: _about(cells, _resumed),
            events.RelationEnded.TYPE: _about(cells, _ended),
            events.PersonChanged.TYPE: _about(cells, _changed),
            events.PersonRegistered.TYPE: _about(cells, _registered),
        },
        belongs=lambda record: record.source.split("/")[1] == "relations",
        cell_of_key=lambda record: cells.of_person(_person_of(record.key)),
    )


Translated = tuple[UUID, object]
"""Whose books a fact may change, and the command it amounts to."""


def _about(cells: Cells, translate: Callable[[bytes], Translated]) -> Handler:
    def handler(record: Record) -> Routed:
        owner, command = translate(record.body)
        return record.to(cells.of_person(owner), command, anchors=(owner,))

    return handler


def _activated(body: bytes) -> Translated:
    relation = events.RelationActivated.model_validate_json(body)
    return relation.beneficiary.person_id, OpenQuota(relation=relation)


def _suspended(body: bytes) -> Translated:
    relation = events.RelationSuspended.model_validate_json(body)
    return relation.beneficiary_id, SuspendQuota(
        relation_id=relation.relation_id, beneficiary_id=relation.beneficiary_id, suspended=True
    )


def _resumed(body: bytes) -> Translated:
    relation = events.RelationResumed.model_validate_json(body)
    return relation.beneficiary_id, SuspendQuota(
        relation_id=relation.relation_id, beneficiary_id=relation.beneficiary_id, suspended=False
    )


def _ended(body: bytes) -> Translated:
    relation = events.RelationEnded.model_validate_json(body)
    return relation.beneficiary_id, EndQuota(
        relation_id=relation.relation_id,
        beneficiary_id=relation.beneficiary_id,
        reason=relation.reason,
        since=relation.since,
    )


def _changed(body: bytes) -> Translated:
    person = events.PersonChanged.model_validate_json(body)
    snapshot = PersonSnapshot(
        person_id=person.person_id,
        version=person.version,
        psn_no=person.psn_no,
        pool_admdvs=person.pool_admdvs,
        insutype=person.insutype,
        insured=person.insured,
    )
    return person.person_id, RecordPerson(person=snapshot)


def _registered(body: bytes) -> Translated:
    told = events.PersonRegistered.model_validate_json(body)
    registration = Registration(
        mdtrtarea_admvs=told.mdtrtarea_admvs, valid_from=told.valid_from, valid_to=told.valid_to
    )
    return told.person_id, RecordRegistration(person_id=told.person_id, registration=registration)


def provinces_reading(cells: Cells) -> Reading:
    """Answers of provinces to orders and premiums; the id of what they answer names the cell.

    What a province sends that makes no sense is parked by relations, so it is passed over here.
    """
    return Reading(
        handlers={
            events.FreezeConfirmed.TYPE: _answer(cells, _freeze_confirmed),
            events.FreezeRefused.TYPE: _answer(cells, _freeze_refused),
            events.AccountDebited.TYPE: _answer(cells, _debited),
            events.AccountUnfrozen.TYPE: _answer(cells, _unfrozen),
            events.AccountCredited.TYPE: _answer(cells, _credited),
            events.CreditRefused.TYPE: _answer(cells, _credit_refused),
            events.PremiumAccepted.TYPE: _answer(cells, _premium_accepted),
            events.PremiumRefused.TYPE: _answer(cells, _premium_refused),
            events.PremiumRefunded.TYPE: _answer(cells, _premium_refunded),
        },
        parks_bad=False,
        sequenced=False,
        belongs=lambda record: record.source == f"/provinces/{province_of_topic(record.topic)}",
    )


def province_of_topic(topic: str) -> str:
    return topic.removeprefix("from.")


Answered = tuple[UUID, RecordFreeze | RecordOrderAnswer | RecordPremiumAnswer]


def _freeze_confirmed(province: str, body: bytes) -> Answered:
    freeze_id = events.FreezeConfirmed.model_validate_json(body).freeze_id
    return freeze_id, RecordFreeze(province=province, freeze_id=freeze_id, confirmed=True)


def _freeze_refused(province: str, body: bytes) -> Answered:
    told = events.FreezeRefused.model_validate_json(body)
    command = RecordFreeze(
        province=province, freeze_id=told.freeze_id, confirmed=False, reason=told.reason
    )
    return told.freeze_id, command


def _debited(province: str, body: bytes) -> Answered:
    order_id = events.AccountDebited.model_validate_json(body).order_id
    return order_id, RecordOrderAnswer(province=province, order_id=order_id, kind=OrderKind.DEBIT)


def _unfrozen(province: str, body: bytes) -> Answered:
    order_id = events.AccountUnfrozen.model_validate_json(body).order_id
    return order_id, RecordOrderAnswer(
        province=province, order_id=order_id, kind=OrderKind.UNFREEZE
    )


def _credited(province: str, body: bytes) -> Answered:
    order_id = events.AccountCredited.model_validate_json(body).order_id
    return order_id, RecordOrderAnswer(province=province, order_id=order_id, kind=OrderKind.CREDIT)


def _credit_refused(province: str, body: bytes) -> Answered:
    told = events.CreditRefused.model_validate_json(body)
    return told.order_id, RecordOrderAnswer(
        province=province,
        order_id=told.order_id,
        kind=OrderKind.CREDIT,
        refused_because=told.reason,
    )


def _premium_accepted(province: str, body: bytes) -> Answered:
    told = events.PremiumAccepted.model_validate_json(body)
    return _premium(province, told, PremiumState.ACCEPTED)


def _premium_refused(province: str, body: bytes) -> Answered:
    told = events.PremiumRefused.model_validate_json(body)
    return _premium(province, told, PremiumState.REFUSED)


def _premium_refunded(province: str, body: bytes) -> Answered:
    told = events.PremiumRefunded.model_validate_json(body)
    return _premium(province, told, PremiumState.REFUNDED)


def _premium(province: str, told: events.PremiumAnswer, said: PremiumState) -> Answered:
    return told.payment_id, RecordPremiumAnswer(
        province=province,
        payment_id=told.payment_id,
        levy_no=told.levy_no,
        said=said,
        reason=told.reason,
    )


def _answer(cells: Cells, translate: Callable[[str, bytes], Answered]) -> Handler:
    def handler(record: Record) -> Routed:
        answered, command = translate(province_of_topic(record.topic), record.body)
        cell = cells.of_thing(answered)
        if cell is None:
            raise Poison("unknown-order")
        return record.to(cell, command)

    return handler


def _person_of(key: str) -> UUID:
    try:
        return UUID(key)
    except ValueError:
        raise Poison("bad-key") from None
