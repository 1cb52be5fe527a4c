"""Idempotency: the same key and body give the first answer byte for byte (contract §2)."""

from __future__ import annotations

import json

import pytest

from tests.blackbox.world import ALAR, SHENZHEN, Counter, Family, World, new_key


def test_a_replay_is_byte_for_byte(hospital: Counter, family: Family) -> None:
    key, token = new_key(), hospital.token(family.beneficiary)
    first = hospital.pay(token, 1_000, key=key)
    again = hospital.pay(token, 1_000, key=key)
    assert (first.status, first.replayed) == (201, False)
    assert (again.status, again.replayed) == (201, True)
    assert again.body == first.body
    assert again.headers["content-type"] == first.headers["content-type"]
    assert family.available() == 99_000


def test_a_refusal_is_replayed_too(hospital: Counter, family: Family) -> None:
    key, token = new_key(), hospital.token(family.beneficiary)
    first = hospital.pay(token, 100_001, key=key)
    first.refused("quota-insufficient", 422)
    family.sharer.raise_quota(family.relation_id, 200_000)
    again = hospital.pay(token, 100_001, key=key)
    assert (again.replayed, again.body) == (True, first.body), "final, though there is money now"
    hospital.pay(token, 100_001).of(201)


def test_a_key_is_not_used_for_something_else(hospital: Counter, family: Family) -> None:
    key, token = new_key(), hospital.token(family.beneficiary)
    hospital.pay(token, 1_000, key=key).of(201)
    hospital.pay(token, 1_001, key=key).refused("key-reused", 422)
    assert family.available() == 99_000


def test_keys_of_different_persons_and_callers_do_not_meet(
    world: World, hospital: Counter, pharmacy: Counter, family: Family
) -> None:
    other = world.family()
    key = new_key()
    paid = [
        hospital.pay(hospital.token(family.beneficiary), 100, key=key).of(201),
        hospital.pay(hospital.token(other.beneficiary), 100, key=key).of(201),
        pharmacy.pay(pharmacy.token(family.beneficiary), 100, key=key).of(201),
    ]
    assert len({each["payment_id"] for each in paid}) == 3


@pytest.mark.parametrize("key", [None, "", "x" * 256])
def test_a_payment_needs_a_key_of_some_length(
    hospital: Counter, family: Family, key: str | None
) -> None:
    told = hospital.payment(hospital.token(family.beneficiary), 100)
    answer = hospital.send("POST", "/v1/payments", json.dumps(told).encode(), key)
    assert answer.status == 422
    assert answer.code in ({"invalid"} if key and len(key) > 255 else {"key-required", "invalid"})
    if key is None:
        answer.refused("key-required", 422)
    assert family.available() == 100_000


def test_the_longest_key_is_good(hospital: Counter, family: Family) -> None:
    hospital.pay(hospital.token(family.beneficiary), 100, key="k" * 255).of(201)


def test_citizens_replay_too(world: World) -> None:
    sharer, other = world.citizen(SHENZHEN), world.citizen(ALAR, insutype="390")
    told = {
        "role": "sharer",
        "counterpart": other.counterpart(),
        "kind": "parent",
        "commitment_version": "1",
    }
    key = new_key()
    first = sharer.ask("POST", "/v1/me/relations", told, key=key)
    again = sharer.ask("POST", "/v1/me/relations", told, key=key)
    assert (first.status, again.status) == (201, 201)
    assert (again.replayed, again.body) == (True, first.body)
    changed = {**told, "kind": "child"}
    sharer.ask("POST", "/v1/me/relations", changed, key=key).refused("key-reused", 422)
    url = f"{world.stack.url('gateway')}/v1/me/relations"
    headers = {"authorization": f"Bearer {sharer.token}", "content-type": "application/json"}
    world.send("POST", url, b"{}", headers).refused("key-required", 422)
