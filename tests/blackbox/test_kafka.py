"""What is on Kafka (contract §5): CloudEvents in order, no names, poison that stops nothing."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from typing import Any

import pytest

from tests.blackbox.bus import Bus, Record, partition_of
from tests.blackbox.until import until
from tests.blackbox.world import ALAR, GUANGDONG, SHENZHEN, Counter, Family, World

OURS = ("relations.", "wallet.", "settlement.", "to.")


@pytest.fixture(scope="module")
def paid(world: World, hospital: Counter) -> tuple[Family, dict[str, Any]]:
    family = world.family(available_fen=50_000)
    payment = hospital.pay(hospital.token(family.beneficiary), 20_000).of(201)
    return family, payment


def found(bus: Bus, topic: str, **fields: object) -> Record:
    """The record of a topic whose body has these fields; waits for it."""

    def look() -> Record | None:
        for record in bus.read(topic):
            # What other stories put there may be no JSON at all.
            body = record.json if record.value[:1] == b"{" and b"_id" in record.value else {}
            if all(body.get(name) == value for name, value in fields.items()):
                return record
        return None

    return until(look, f"{topic} has {fields}")


def assert_cloud_event(record: Record, event: str, source: str) -> None:
    assert record.type == event
    assert record.header("ce_specversion") == "1.0"
    assert record.header("ce_source").startswith(source)
    uuid.UUID(record.header("ce_id"))
    assert record.header("ce_subject")
    assert record.header("ce_time").endswith("Z") or "+00:00" in record.header("ce_time")
    assert int(record.header("ce_sequence")) >= 1
    trace = record.header("traceparent")
    assert not trace or len(trace.split("-")) == 4


def test_a_payment_is_told(bus: Bus, paid: tuple[Family, dict[str, Any]]) -> None:
    family, payment = paid
    record = found(bus, "wallet.payment", payment_id=payment["payment_id"])
    assert_cloud_event(record, "payment.captured.v1", "/wallet/cell-")
    assert record.key == payment["person_id"].encode()
    assert record.header("traceparent"), "the caller's trace goes on"
    told = record.json
    for name in ("person_id", "institution", "mdtrtarea_admvs", "insuplc_admdvs", "allocations"):
        assert told[name] == payment[name]
    balances = next(each for each in told["balances"] if each["quota_id"] == family.quota_id)
    assert (balances["available_fen"], balances["spent_fen"]) == (30_000, 20_000)


def test_a_quota_is_told(bus: Bus, paid: tuple[Family, dict[str, Any]]) -> None:
    family, payment = paid
    types = [
        record.type
        for record in bus.read("wallet.quota")
        if record.json.get("quota_id") == family.quota_id
    ]
    assert types == ["quota.opened.v1", "quota.granted.v1"]
    record = found(bus, "relations.relation", relation_id=family.relation_id)
    assert_cloud_event(record, "relation.activated.v1", "/relations")
    assert record.key == payment["person_id"].encode()


def test_the_province_is_told_what_to_freeze_and_debit(
    bus: Bus, paid: tuple[Family, dict[str, Any]]
) -> None:
    family, payment = paid
    topic = f"to.{GUANGDONG}"
    freeze = found(bus, topic, quota_id=family.quota_id, amount_fen=50_000)
    debit = found(bus, topic, payment_id=payment["payment_id"])
    assert_cloud_event(freeze, "account.freeze-requested.v1", "/wallet/cell-")
    assert_cloud_event(debit, "account.debit-ordered.v1", "/wallet/cell-")
    person = {"psn_no": family.sharer.psn_no, "pool_admdvs": SHENZHEN}
    assert freeze.key == debit.key == family.quota_id.encode()
    assert freeze.json == {
        "freeze_id": freeze.json["freeze_id"],
        "quota_id": family.quota_id,
        "amount_fen": 50_000,
        **person,
    }
    assert debit.json == {
        "order_id": debit.json["order_id"],
        "quota_id": family.quota_id,
        "payment_id": payment["payment_id"],
        "amount_fen": 20_000,
        "mdtrtarea_admvs": payment["mdtrtarea_admvs"],
        "purpose": "outpatient",
        "captured_at": debit.json["captured_at"],
        **person,
    }
    answered = found(bus, f"from.{GUANGDONG}", order_id=debit.json["order_id"])
    assert answered.type == "account.debited.v1"
    assert answered.header("ce_source") == f"/provinces/{GUANGDONG}"
    assert answered.key == family.sharer.psn_no.encode()


def test_sequences_have_no_gap_and_keys_keep_their_partition(
    bus: Bus, paid: tuple[Family, dict[str, Any]]
) -> None:
    topics = [topic for topic in bus.topics() if topic.startswith(OURS)]
    partitions = {topic: bus.partitions(topic) for topic in topics}
    seen: dict[tuple[str, str, bytes], list[int]] = defaultdict(list)
    for record in bus.read(*topics):
        assert record.key is not None
        assert record.partition == partition_of(record.key, partitions[record.topic])
        name = (record.topic, record.header("ce_source"), record.key)
        sequence = int(record.header("ce_sequence"))
        # A record may come twice, but never a later one before an earlier one was there.
        if sequence not in seen[name]:
            seen[name].append(sequence)
    assert len(seen) >= 4
    for name, sequences in seen.items():
        assert sequences == list(range(1, len(sequences) + 1)), name


def test_records_delivered_again_change_nothing(world: World, bus: Bus, hospital: Counter) -> None:
    family = world.family(available_fen=50_000)
    hospital.pay(hospital.token(family.beneficiary), 20_000).of(201)
    psn_no = family.sharer.psn_no
    topic = f"from.{GUANGDONG}"

    def answers() -> list[Record] | None:
        mine = [record for record in bus.read(topic) if record.key == psn_no.encode()]
        return mine if any(each.type == "account.debited.v1" for each in mine) else None

    for record in until(answers, "the province has debited") * 3:
        bus.write_again(record)
    # The same key carries the answer to one more raise: once that is there, all before it was read.
    family.sharer.raise_quota(family.relation_id, 60_000)
    quota = family.beneficiary.quota(family.quota_id)
    books = (quota["granted_fen"], quota["available_fen"], quota["spent_fen"])
    assert books == (80_000, 60_000, 20_000)
    account = world.account(GUANGDONG, psn_no)
    assert account == {"balance_fen": 480_000, "frozen_fen": 60_000, "spendable_fen": 420_000}


def cloud_event(event: str, source: str = f"/provinces/{GUANGDONG}") -> dict[str, str]:
    return {
        "ce_id": str(uuid.uuid4()),
        "ce_type": event,
        "ce_source": source,
        "ce_subject": "x",
        "ce_time": "2026-11-21T00:00:00Z",
        "ce_specversion": "1.0",
        "content-type": "application/json",
    }


ENROLMENT = {
    "psn_no": "9" * 20,
    "insutype": "310",
    "pool_admdvs": SHENZHEN,
    "status": "active",
    "since": "2026-01-01",
}


def enrolment(**change: object) -> bytes:
    return json.dumps({**ENROLMENT, **change}).encode()


CHANGED = "enrolment.changed.v1"
POISON: dict[str, tuple[bytes, dict[str, str]]] = {
    "no JSON": (b"{not json", cloud_event(CHANGED)),
    "a list": (b"[]", cloud_event(CHANGED)),
    "bad UTF-8": (b'{"psn_no": "\xff"}', cloud_event(CHANGED)),
    "deep": (b"[" * 50_000, cloud_event(CHANGED)),
    "a field is missing": (b'{"psn_no": "1"}', cloud_event(CHANGED)),
    "a wrong type": (enrolment(insutype=310), cloud_event(CHANGED)),
    "a float": (enrolment(pool_admdvs=440300.0), cloud_event(CHANGED)),
    "no such status": (enrolment(status="perhaps"), cloud_event(CHANGED)),
    "NUL": (enrolment(psn_no="1\x00"), cloud_event(CHANGED)),
    "no such day": (enrolment(since="2026-02-30"), cloud_event(CHANGED)),
    "unknown type": (enrolment(), cloud_event("account.emptied.v1")),
    "unknown version": (enrolment(), cloud_event("enrolment.changed.v9")),
    "forged source": (enrolment(), cloud_event(CHANGED, "/provinces/310000")),
    "no headers": (enrolment(), {}),
    "unknown freeze": (b'{"freeze_id": "x"}', cloud_event("account.freeze-confirmed.v1")),
    "large": (json.dumps({"x": "y" * 900_000}).encode(), cloud_event(CHANGED)),
}


def test_poison_is_parked_with_a_reason_and_the_partition_goes_on(world: World, bus: Bus) -> None:
    topic, run = f"from.{GUANGDONG}", uuid.uuid4().hex[:8]
    count = bus.partitions(topic)
    keys: dict[str, str] = {}
    for number, name in enumerate(POISON):
        # One after the other through all partitions, so that each of them gets its share.
        tries = (f"poison{run}{number}x{n}" for n in range(1_000))
        keys[name] = next(
            key for key in tries if partition_of(key.encode(), count) == number % count
        )
        value, headers = POISON[name]
        bus.write(topic, keys[name], value, headers)

    family = world.family(available_fen=1_000)
    assert family.available() == 1_000, "the province is heard as before"

    def parked() -> dict[bytes | None, Record] | None:
        dead = {record.key: record for record in bus.read("dead.relations")}
        return dead if all(key.encode() in dead for key in keys.values()) else None

    dead = until(parked, "every poison is on dead.relations")
    for name, key in keys.items():
        record = dead[key.encode()]
        assert record.value == POISON[name][0], f"{name}: the record as it came"
        told = {each for each, _ in record.headers}
        assert any("reason" in each for each in told), f"{name}: {sorted(told)}"
        assert any("attempts" in each for each in told)
    copies = [record.key for record in bus.read("dead.relations")]
    assert all(copies.count(key.encode()) == 1 for key in keys.values()), "parked once"


def test_nobodys_number_or_name_is_on_kafka(world: World, bus: Bus, paid: object) -> None:
    people = world.sandbox("GET", "/world")["people"]
    secrets = {person[field] for person in people for field in ("cert_no", "name")}
    forms = {
        form for secret in secrets for form in (secret.encode(), json.dumps(secret)[1:-1].encode())
    }
    by_topic: dict[str, list[bytes]] = defaultdict(list)
    for record in bus.read(*bus.topics()):
        by_topic[record.topic] += [record.key or b"", record.value]
        by_topic[record.topic] += [value for _, value in record.headers]
    for topic, parts in by_topic.items():
        everything = b"\n".join(parts)
        assert not [form for form in forms if form in everything], topic


def test_a_wrong_quota_order_reaches_no_province(world: World, bus: Bus) -> None:
    sharer, other = world.citizen(balance_fen=1_000), world.citizen(ALAR, insutype="390")
    relation_id = sharer.relate("sharer", other)
    path = f"/v1/me/relations/{relation_id}/quota"
    sharer.ask("PUT", path, {"available_fen": -5}).refused("invalid", 422)
    quota_id = sharer.quotas()[0]["quota_id"]
    sharer.raise_quota(relation_id, 1_000)
    asked = [each for each in bus.read(f"to.{GUANGDONG}") if each.key == quota_id.encode()]
    assert [each.json["amount_fen"] for each in asked] == [1_000]
