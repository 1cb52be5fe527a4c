"""What the gateway hears: provinces about their institutions (R27)."""

from __future__ import annotations

from contracts import events, topics
from gateway.domain.told import RecordInstitution
from kit.consume import Poison, Reading, Record, Routed
from policy.areas import UnknownArea, province_of
from policy.calendar import beijing_day

PROVINCE_TOPICS = tuple(topic.name for topic in topics.FROM_PROVINCES)
CELL = 0


def provinces_reading() -> Reading:
    """Institutions alone; what makes no sense is parked by relations, so it is passed over here."""
    return Reading(
        handlers={events.InstitutionChanged.TYPE: institution_changed},
        parks_bad=False,
        sequenced=False,
        belongs=lambda record: record.source == f"/provinces/{_province_of(record.topic)}",
    )


def institution_changed(record: Record) -> Routed:
    """A province speaks for the institutions of its own areas. Raises Poison for others."""
    body = events.InstitutionChanged.model_validate_json(record.body)
    try:
        at_home = province_of(body.admdvs, beijing_day(record.time))
    except UnknownArea:
        raise Poison("unknown-area", body.admdvs) from None
    if at_home != _province_of(record.topic):
        raise Poison("foreign-area", body.admdvs)
    command = RecordInstitution(
        code=body.fixmedins_code,
        name=body.name,
        level=body.level,
        mdtrtarea_admvs=body.admdvs,
        active=body.active,
        wallet_enabled=body.wallet_enabled,
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        told_at=record.time,
    )
    return record.to(CELL, command, anchors=(command.owner,))


def _province_of(topic: str) -> str:
    return topic.removeprefix("from.")
