"""What the provinces hear on `to.<province>`, and as whom they speak on `from.<province>`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from contracts.events import (
    ClearingIssued,
    CreditOrdered,
    DebitOrdered,
    FreezeRequested,
    KinshipAsked,
    PrefundWarned,
    PremiumRequested,
    UnfreezeOrdered,
)
from contracts.topics import Topic, from_province, to_province
from kit.consume import Reading, Record, Routed
from sandbox.domain.commands import (
    AnswerClearing,
    AnswerFreeze,
    AnswerKinship,
    AnswerPremium,
    ObeyOrder,
    TopUpPrefund,
)
from sandbox.domain.decided import anchor_of

_TOPIC = re.compile(r"(?:to|from)\.([0-9]{6})")

IGNORED = (
    "account.recovery-listed.v1",
    "relation.changed.v1",
    "clearing.closed.v1",
    "prefund.resized.v1",
    "attestation.asked.v1",
)
"""Types of `to.<province>` that no core played here has to answer yet."""

PLATFORM = ("/relations", "/wallet/", "/settlement")
"""Who may speak to a province: another province may not."""


def province_of_topic(topic: str) -> str:
    found = _TOPIC.fullmatch(topic)
    assert found, f"{topic} is not a province's"
    return found[1]


def source_of_topic(topic: str) -> str:
    """`ce_source` of what a province says on its topic."""
    return f"/provinces/{province_of_topic(topic)}"


def heard_topics(provinces: Sequence[str]) -> list[str]:
    return [to_province(province).name for province in provinces]


def topics(provinces: Sequence[str]) -> list[Topic]:
    """What these provinces read and write."""
    return [of(province) for province in provinces for of in (to_province, from_province)]


def reading() -> Reading:
    """What a core makes of what it hears; what it cannot obey is parked with a reason."""
    return Reading(
        handlers={
            FreezeRequested.TYPE: _freeze_requested,
            UnfreezeOrdered.TYPE: _unfreeze_ordered,
            DebitOrdered.TYPE: _debit_ordered,
            CreditOrdered.TYPE: _credit_ordered,
            KinshipAsked.TYPE: _kinship_asked,
            PremiumRequested.TYPE: _premium_requested,
            ClearingIssued.TYPE: _clearing_issued,
            PrefundWarned.TYPE: _prefund_warned,
        },
        ignores=IGNORED,
        belongs=lambda record: record.source.startswith(PLATFORM),
    )


def _freeze_requested(record: Record) -> Routed:
    province = province_of_topic(record.topic)
    request = FreezeRequested.model_validate_json(record.body)
    return record.to(
        0, AnswerFreeze(province=province, request=request), anchors=(anchor_of(province),)
    )


def _kinship_asked(record: Record) -> Routed:
    province = province_of_topic(record.topic)
    inquiry = KinshipAsked.model_validate_json(record.body)
    return record.to(
        0, AnswerKinship(province=province, inquiry=inquiry), anchors=(anchor_of(province),)
    )


def _premium_requested(record: Record) -> Routed:
    province = province_of_topic(record.topic)
    request = PremiumRequested.model_validate_json(record.body)
    return record.to(
        0, AnswerPremium(province=province, request=request), anchors=(anchor_of(province),)
    )


def _clearing_issued(record: Record) -> Routed:
    province = province_of_topic(record.topic)
    issued = ClearingIssued.model_validate_json(record.body)
    return record.to(
        0, AnswerClearing(province=province, issued=issued), anchors=(anchor_of(province),)
    )


def _prefund_warned(record: Record) -> Routed:
    province = province_of_topic(record.topic)
    warning = PrefundWarned.model_validate_json(record.body)
    return record.to(
        0, TopUpPrefund(province=province, warning=warning), anchors=(anchor_of(province),)
    )


def _unfreeze_ordered(record: Record) -> Routed:
    return _ordered(record, UnfreezeOrdered.model_validate_json(record.body))


def _debit_ordered(record: Record) -> Routed:
    return _ordered(record, DebitOrdered.model_validate_json(record.body))


def _credit_ordered(record: Record) -> Routed:
    return _ordered(record, CreditOrdered.model_validate_json(record.body))


def _ordered(record: Record, order: UnfreezeOrdered | DebitOrdered | CreditOrdered) -> Routed:
    province = province_of_topic(record.topic)
    return record.to(0, ObeyOrder(province=province, order=order), anchors=(anchor_of(province),))
