"""What relations makes of the records of provinces and of the wallet, before any database."""

from __future__ import annotations

from uuid import UUID

import orjson
import pytest

from contracts import events
from kit.records import Poison, Raw
from policy.policy import Policy
from relations.domain.commands import ActivateRelation, RecordEnrolment
from relations.edge.kafka import provinces_reading, wallet_reading
from tests.support.places import LOCAL_POLICY
from tests.support.relations import (
    ALAR,
    PROVINCE_KEYS,
    enrolment,
    identities,
    identity_number,
    quota_opened,
    raw_of,
    sealed,
    somebody,
    told,
)

PROVINCES = provinces_reading(identities(), Policy.load(LOCAL_POLICY))
WALLET = wallet_reading()


def from_guangdong(body: bytes, type_: str = events.EnrolmentChanged.TYPE) -> Raw:
    return raw_of("from.440000", "1", type_, body, source="/provinces/440000")


def reason_for(raw: Raw) -> Poison:
    with pytest.raises(Poison) as poison:
        PROVINCES.understand(raw)
    return poison.value


def test_an_enrolment_becomes_a_command_without_a_number_in_it() -> None:
    person = somebody(name="欧阳锋")
    routed = PROVINCES.understand(told(person))
    assert routed is not None
    assert isinstance(routed.job.command, RecordEnrolment)
    assert routed.job.position is None
    said = repr(routed.job)
    assert person.name not in said
    assert person.cert_no not in said


def test_a_sequence_of_a_province_proves_nothing() -> None:
    body = orjson.dumps(enrolment(somebody()))
    raw = raw_of(
        "from.440000",
        "k",
        events.EnrolmentChanged.TYPE,
        body,
        source="/provinces/440000",
        sequence=99,
    )
    routed = PROVINCES.understand(raw)
    assert routed is not None
    assert routed.job.position is None


def test_an_opened_quota_activates_its_relation_under_both_locks() -> None:
    relation_id, sharer_id, beneficiary_id = UUID(int=1), UUID(int=2), UUID(int=3)
    routed = WALLET.understand(quota_opened(relation_id, sharer_id, beneficiary_id, sequence=4))
    assert routed is not None
    assert isinstance(routed.job.command, ActivateRelation)
    assert routed.job.command.relation_id == relation_id
    assert set(routed.job.anchors) == {sharer_id, beneficiary_id}
    assert routed.job.position is not None


def test_what_else_the_wallet_tells_only_moves_its_position() -> None:
    raw = raw_of(
        "wallet.quota", "k", events.QuotaGranted.TYPE, b"{}", source="/wallet/cell-0", sequence=1
    )
    routed = WALLET.understand(raw)
    assert routed is not None
    assert routed.job.command is None


def poisoned(**changes: object) -> bytes:
    return orjson.dumps(enrolment(somebody(), **changes))


def swapped() -> bytes:
    """The certificate of one person under the number of another."""
    return poisoned(sealed=sealed(somebody()))


def sealed_badly(cert_no: str) -> bytes:
    return orjson.dumps(enrolment(somebody(cert_no=cert_no)))


BAD: dict[str, tuple[str, bytes]] = {
    "no JSON at all": ("bad-json", b"{"),
    "bad UTF-8": ("bad-json", b'{"psn_no":"\xff"}'),
    "a list": ("bad-body", b"[]"),
    "a float": ("bad-body", poisoned(psn_no=1.5)),
    "a missing field": ("bad-body", poisoned(since=None)),
    "a day that is none": ("bad-body", poisoned(since="2026-02-30")),
    "an unknown status": ("bad-body", poisoned(status="asleep")),
    "an unknown scheme": ("unknown-insutype", poisoned(insutype="999")),
    "an unknown pool": ("unknown-pool", poisoned(pool_admdvs="449900")),
    "another province's pool": ("foreign-pool", poisoned(pool_admdvs=ALAR)),
    "a wrong check digit": ("bad-certificate", sealed_badly("1" * 18)),
    "a number that is too short": ("bad-certificate", sealed_badly(identity_number()[:-1])),
    "another person's seal": ("not-authentic", swapped()),
    "another province's seal": (
        "not-authentic",
        poisoned(sealed=sealed(somebody(), province="660000")),
    ),
    "a seal that is no base64": (
        "not-authentic",
        poisoned(sealed={"key_id": "440000-1", "nonce": "!", "ciphertext": "!"}),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_makes_no_sense_is_parked_by_name(case: str) -> None:
    reason, body = BAD[case]
    assert reason_for(from_guangdong(body)).reason == reason


def test_a_sealed_text_that_is_no_identity_is_parked() -> None:
    person = somebody()
    for changes in ({"cert_no": 5}, {"name": ""}, {"name": None}):
        body = enrolment(person, sealed=sealed(person, **changes))
        poison = reason_for(from_guangdong(orjson.dumps(body)))
        assert poison.reason == "bad-identity"
        assert person.cert_no not in str(poison.args)


@pytest.mark.parametrize(
    ("type_", "source", "body", "reason"),
    [
        ("enrolment.changed.v1", "/provinces/110000", b"{}", "foreign-source"),
        ("enrolment.changed.v1", "/wallet/cell-0", b"{}", "foreign-source"),
        ("enrolment.vanished.v1", "/provinces/440000", b"{}", "unknown-type"),
        ("enrolment.changed.v2", "/provinces/440000", b"{}", "unknown-type"),
        ("account.freeze-confirmed.v1", "/provinces/440000", b"{}", "bad-body"),
        ("account.debited.v1", "/provinces/440000", b'{"order_id":"x"}', "bad-body"),
        ("registration.changed.v1", "/provinces/440000", b"nonsense", "bad-json"),
    ],
)
def test_relations_parks_for_everybody(type_: str, source: str, body: bytes, reason: str) -> None:
    raw = raw_of("from.440000", "k", type_, body, source=source)
    assert reason_for(raw).reason == reason


def test_good_records_for_others_ask_for_nothing() -> None:
    body = orjson.dumps({"freeze_id": str(UUID(int=7)), "and": "more"})
    assert PROVINCES.understand(from_guangdong(body, events.FreezeConfirmed.TYPE)) is None


def test_a_province_without_a_key_is_not_believed() -> None:
    assert "360000" not in PROVINCE_KEYS
    wire = {"key_id": "x", "nonce": "AAAA", "ciphertext": "AAAA"}
    body = enrolment(somebody(), pool_admdvs="360100", sealed=wire)
    raw = raw_of(
        "from.360000",
        "1",
        events.EnrolmentChanged.TYPE,
        orjson.dumps(body),
        source="/provinces/360000",
    )
    assert reason_for(raw).reason == "no-key-of-province"
