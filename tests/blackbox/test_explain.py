"""Explanations (contract §3): one timeline over all services, each seeing what is theirs."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import pytest

from tests.blackbox.until import until
from tests.blackbox.world import Clerk, Counter, World, bill, new_key


@pytest.fixture(scope="module")
def auditor(world: World) -> Clerk:
    return world.clerk("audit", name=world.stack.told["clerks"]["audit"])


def story(told: dict[str, Any]) -> list[str]:
    assert set(told) >= {"items", "missing", "as_of"}
    datetime.fromisoformat(told["as_of"])
    return [each["type"] for each in told["items"]]


def rules(told: dict[str, Any]) -> set[str]:
    """The rules that decided, each in both languages."""
    named = [rule for each in told["items"] for rule in each["rules"]]
    assert all(rule["text"] and rule["text_zh"] for rule in named)
    return {rule["id"] for rule in named}


@pytest.mark.rule("R15", "R22")
def test_a_payment_from_hold_to_what_is_owed(
    world: World, hospital: Counter, auditor: Clerk
) -> None:
    family = world.family(available_fen=10_000)
    token, key = hospital.token(family.beneficiary), new_key()
    held = hospital.pay(token, 5_000, key=key, capture=False).of(201)
    payment_id = held["payment_id"]
    path = f"/v1/payments/{payment_id}"
    hospital.post(f"{path}/capture", {"amount_fen": 9_999}).refused("capture-exceeds-hold", 422)
    hospital.post(f"{path}/capture", {"amount_fen": 4_000}).of(200)
    refund = hospital.post(f"{path}/refunds", {"amount_fen": 1_000, "reason": "returned"}).of(201)

    def whole() -> dict[str, Any] | None:
        told: dict[str, Any] = auditor.ask("GET", f"/v1/explain/{payment_id}").of(200)
        return told if story(told).count("line.recorded") == 2 else None

    told = until(whole, "settlement has both lines")
    assert told["missing"] == []
    times = [datetime.fromisoformat(each["at"]) for each in told["items"]]
    assert times == sorted(times)
    found = [each for each in story(told) if each.startswith("payment.")]
    assert found == ["payment.held", "payment.captured", "payment.refunded"]
    assert {each["service"] for each in told["items"]} >= {"wallet", "settlement"}
    amounts = {each["type"]: each.get("amount_fen") for each in told["items"]}
    assert (amounts["payment.held"], amounts["payment.captured"]) == (5_000, 4_000)
    assert rules(told) >= {"R11", "R12", "R15", "R22"}
    [no] = [each for each in told["items"] if each["type"] == "request.refused"]
    assert no["refusal"]["code"] == "capture-exceeds-hold"
    assert no["refusal"]["title_zh"]
    for name in (key, refund["refund_id"]):
        assert "payment.captured" in story(auditor.ask("GET", f"/v1/explain/{name}").of(200))
    for secret in (family.beneficiary.told["cert_no"], family.beneficiary.told["name"]):
        assert secret not in str(told)


def test_each_sees_what_is_theirs(world: World, hospital: Counter, pharmacy: Counter) -> None:
    family = world.family(available_fen=10_000)
    paid = hospital.pay(hospital.token(family.beneficiary), 700).of(201)
    path = f"/v1/explain/{paid['payment_id']}"
    own = hospital.get(path).of(200)
    assert {"request.answered", "payment.captured"} <= set(story(own))
    assert not [each for each in story(own) if each.startswith("account.")]
    pharmacy.get(path).refused("not-found", 404)
    assert "payment.captured" in story(family.beneficiary.ask("GET", path).of(200))
    given = family.sharer.ask("GET", path).of(200)
    captured = next(each for each in given["items"] if each["type"] == "payment.captured")
    assert captured["amount_fen"] == 700
    assert len(captured["at"]) == len("2026-11-21")
    for each in given["items"]:
        assert set(each) <= {"at", "service", "type", "amount_fen", "rules"}
    stranger = world.citizen()
    for name in (paid["payment_id"], family.quota_id, family.relation_id):
        stranger.ask("GET", f"/v1/explain/{name}").refused("not-found", 404)
        assert story(family.sharer.ask("GET", f"/v1/explain/{name}").of(200))
    for roles in ((), ("clearing",), ("prefund",)):
        world.clerk(*roles).ask("GET", path).refused("forbidden", 403)


@pytest.mark.rule("R9")
def test_a_quota_a_relation_and_a_person(world: World, auditor: Clerk) -> None:
    family = world.family(available_fen=10_000)
    of_quota = auditor.ask("GET", f"/v1/explain/{family.quota_id}").of(200)
    of_relation = auditor.ask("GET", f"/v1/explain/{family.relation_id}").of(200)
    for told in (of_quota, of_relation):
        assert {"relation.proposed", "relation.active", "quota.opened"} <= set(story(told))
        assert story(told).index("relation.proposed") < story(told).index("quota.granted")
        assert rules(told) >= {"R3", "R7", "R9"}
    person_id = family.beneficiary.wallet()["person_id"]
    own = family.beneficiary.ask("GET", f"/v1/explain/{person_id}").of(200)
    assert {"enrolment.active", "wallet.opened", "relation.active"} <= set(story(own))
    assert "enrolment.active" in story(auditor.ask("GET", f"/v1/explain/{person_id}").of(200))


def test_a_request_that_was_refused_is_explained_by_its_key(
    world: World, pharmacy: Counter, hospital: Counter, auditor: Clerk
) -> None:
    family = world.family(available_fen=100)
    key = new_key()
    token = pharmacy.token(family.beneficiary)
    pharmacy.pay(token, 101, key=key).refused("quota-insufficient", 422)
    for told in (pharmacy.get(f"/v1/explain/{key}"), auditor.ask("GET", f"/v1/explain/{key}")):
        [no] = told.of(200)["items"]
        assert (no["type"], no["refusal"]["code"]) == ("request.refused", "quota-insufficient")
        assert no["rules"][0]["id"] == "R9"
    hospital.get(f"/v1/explain/{key}").refused("not-found", 404)
    family.beneficiary.ask("GET", f"/v1/explain/{key}").refused("not-found", 404)
    wrong = new_key()
    body = pharmacy.payment(token, 101, bill=bill(101, fulamt_ownpay_fen=1))
    pharmacy.post("/v1/payments", body, wrong).refused("bill-does-not-add-up", 422)
    [no] = pharmacy.get(f"/v1/explain/{wrong}").of(200)["items"]
    assert no["rules"][0]["id"] == "R20"


def test_what_makes_no_sense_is_not_found(pharmacy: Counter, auditor: Clerk) -> None:
    for name in (str(uuid.uuid4()), "nothing", "x" * 300, "%E5%85%B1", "%27%20OR%201", "."):
        auditor.ask("GET", f"/v1/explain/{name}").refused("not-found", 404)
        pharmacy.get(f"/v1/explain/{name}").refused("not-found", 404)
