"""What relations hears: provinces about enrolments, the wallet about quotas.

It alone parks what provinces send that makes no sense, whomever it was meant for.
"""

from __future__ import annotations

from contracts import events, topics
from contracts.vocabulary import Insutype
from kit.consume import Handler, Poison, Reading, Record, Routed
from policy.areas import UnknownArea
from policy.calendar import beijing_day
from policy.policy import Policy
from relations.domain.commands import (
    ActivateRelation,
    CloseRelation,
    RecordEnrolment,
    RecordRegistration,
    VerifyKinship,
)
from relations.edge.identities import Identities
from relations.edge.room import CELL

PROVINCE_TOPICS = tuple(topic.name for topic in topics.FROM_PROVINCES)
WALLET_TOPICS = (topics.QUOTA.name,)

INSUTYPES = frozenset(Insutype)


def provinces_reading(identities: Identities, policy: Policy) -> Reading:
    """Enrolments, registrations, kinship. What else there is is checked, then left to others."""

    def enrolment_changed(record: Record) -> Routed:
        record.json()
        body = events.EnrolmentChanged.model_validate_json(record.body)
        province, day = province_of_topic(record.topic), beijing_day(record.time)
        if body.insutype not in INSUTYPES:
            raise Poison("unknown-insutype", body.insutype)
        _require_home(policy, record, body.pool_admdvs, "pool")
        command = RecordEnrolment(
            province=province,
            pool_admdvs=body.pool_admdvs,
            psn_no=body.psn_no,
            insutype=Insutype(body.insutype),
            status=body.status,
            since=body.since,
            told_at=record.time,
            reason=body.reason,
            identity=identities.received(province, body, day),
        )
        return record.to(CELL, command)

    def registration_changed(record: Record) -> Routed:
        return _registration_changed(policy, record)

    def institution_changed(record: Record) -> None:
        record.json()
        body = events.InstitutionChanged.model_validate_json(record.body)
        _require_home(policy, record, body.admdvs, "area")

    handlers = {told.TYPE: _checked(told) for told in events.FROM_PROVINCE} | {
        events.EnrolmentChanged.TYPE: enrolment_changed,
        events.RegistrationChanged.TYPE: registration_changed,
        events.InstitutionChanged.TYPE: institution_changed,
        events.KinshipAnswered.TYPE: _kinship_answered,
    }
    return Reading(
        handlers=handlers,
        sequenced=False,
        belongs=lambda record: record.source == f"/provinces/{province_of_topic(record.topic)}",
    )


def _registration_changed(policy: Policy, record: Record) -> Routed:
    record.json()
    body = events.RegistrationChanged.model_validate_json(record.body)
    _province_of_area(policy, record, body.mdtrtarea_admvs, "area")
    command = RecordRegistration(
        province=province_of_topic(record.topic),
        psn_no=body.psn_no,
        mdtrtarea_admvs=body.mdtrtarea_admvs,
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        told_at=record.time,
    )
    return record.to(CELL, command)


def _kinship_answered(record: Record) -> Routed:
    record.json()
    body = events.KinshipAnswered.model_validate_json(record.body)
    province = province_of_topic(record.topic)
    command = VerifyKinship(inquiry_id=body.inquiry_id, province=province, answer=body.answer)
    return record.to(CELL, command)


def _require_home(policy: Policy, record: Record, code: str, what: str) -> None:
    """Raise Poison unless it is one of the areas of the province that tells."""
    if _province_of_area(policy, record, code, what) != province_of_topic(record.topic):
        raise Poison(f"foreign-{what}", code)


def _province_of_area(policy: Policy, record: Record, code: str, what: str) -> str:
    try:
        return policy.province_of(code, beijing_day(record.time))
    except UnknownArea:
        raise Poison(f"unknown-{what}", code) from None


def wallet_reading() -> Reading:
    """An opened quota makes its relation active, an ended one closes it; the rest is not for us."""

    def quota_opened(record: Record) -> Routed:
        body = events.QuotaOpened.model_validate_json(record.body)
        command = ActivateRelation(relation_id=body.relation_id, quota_id=body.quota_id)
        return record.to(CELL, command, anchors=(body.sharer_id, body.beneficiary_id))

    def quota_ended(record: Record) -> Routed:
        body = events.QuotaEnded.model_validate_json(record.body)
        command = CloseRelation(relation_id=body.relation_id)
        return record.to(CELL, command, anchors=(body.sharer_id, body.beneficiary_id))

    return Reading(
        handlers={
            events.QuotaOpened.TYPE: quota_opened,
            events.QuotaEnded.TYPE: quota_ended,
        },
        ignores={told.TYPE for told in events.FROM_WALLET},
        belongs=lambda record: record.source.startswith("/wallet/"),
    )


def province_of_topic(topic: str) -> str:
    return topic.removeprefix("from.")


def _checked(told: type[events.Told]) -> Handler:
    """A handler that wants nothing but a body that fits."""

    def handler(record: Record) -> None:
        record.json()
        told.model_validate_json(record.body)

    return handler
