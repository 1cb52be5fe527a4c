"""A quote: what a payment would be, before anybody decides; it reserves nothing (contract §2)."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.blackbox.world import Answer, Counter, Family, World, bill, new_key


def quote(counter: Counter, token: str, owed: dict[str, Any], **change: Any) -> Answer:
    purpose = "pharmacy" if counter.key.kind == "pharmacy" else "outpatient"
    told = {"presence_token": token, "purpose": purpose, "bill": owed, **change}
    return counter.post("/v1/quotes", told)


def test_a_quote_says_what_each_would_give_and_reserves_nothing(
    pharmacy: Counter, untouched: Family
) -> None:
    token = pharmacy.token(untouched.beneficiary)
    before = untouched.beneficiary.quotas()
    owed = bill(5_000, own_acct_pay_fen=1_000)
    told = quote(pharmacy, token, owed, amount_fen=3_000).of(200)
    assert uuid.UUID(told["quote_id"])
    assert told["expires_at"].endswith("Z")
    amounts = {name: told[name] for name in told if name.endswith("_fen")}
    assert amounts == {
        "personal_burden_fen": 5_000,
        "own_account_fen": 1_000,
        "mutual_aid_fen": 3_000,
        "cash_fen": 1_000,
    }
    [given] = told["allocations"]
    assert (given["quota_id"], given["amount_fen"]) == (untouched.quota_id, 3_000)
    assert given["sharer_admdvs"] == "440300"
    assert untouched.beneficiary.quotas() == before


def test_without_an_amount_it_is_as_much_as_may_be(pharmacy: Counter, untouched: Family) -> None:
    token = pharmacy.token(untouched.beneficiary)
    whole = quote(pharmacy, token, bill(5_000)).of(200)
    assert (whole["mutual_aid_fen"], whole["cash_fen"]) == (5_000, 0)
    limited = quote(pharmacy, token, bill(100_700)).of(200)
    assert (limited["mutual_aid_fen"], limited["cash_fen"]) == (100_000, 700)


def test_a_payment_names_its_quote(world: World, pharmacy: Counter) -> None:
    family = world.family(available_fen=10_000)
    token = pharmacy.token(family.beneficiary)
    owed = bill(2_000)
    told = quote(pharmacy, token, owed, amount_fen=2_000).of(200)
    named = {"bill": owed, "quote_id": told["quote_id"]}
    paid = pharmacy.pay(token, told["mutual_aid_fen"], **named).of(201)
    assert paid["allocations"] == told["allocations"]
    assert paid["receipt"]["psn_cash_pay_fen"] == told["cash_fen"]
    pharmacy.pay(token, 2_000, bill=bill(2_001), quote_id=told["quote_id"]).refused("invalid", 422)
    pharmacy.pay(token, 2_000, quote_id=str(uuid.uuid4())).refused("not-found", 404)
    assert family.available() == 8_000


def test_another_institutions_or_persons_quote_is_not_found(world: World) -> None:
    hospital, pharmacy = world.counter("hospital"), world.counter("pharmacy")
    family, others = world.family(available_fen=5_000), world.family(available_fen=5_000)
    token = pharmacy.token(family.beneficiary)
    quote_id = quote(pharmacy, token, bill(100)).of(200)["quote_id"]
    elsewhere = hospital.token(family.beneficiary)
    hospital.pay(elsewhere, 100, quote_id=quote_id).refused("not-found", 404)
    somebody = pharmacy.token(others.beneficiary)
    pharmacy.pay(somebody, 100, quote_id=quote_id).refused("not-found", 404)
    assert (family.available(), others.available()) == (5_000, 5_000)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount_fen": 100_001, "bill": bill(100_001)}, "quota-insufficient"),
        ({"amount_fen": 101}, "exceeds-personal-burden"),
        ({"purpose": "inpatient"}, "purpose-not-allowed"),
        ({"bill": bill(100, medfee_sumamt_fen=101)}, "bill-does-not-add-up"),
        ({"amount_fen": 0}, "invalid"),
        ({"amount_fen": "100"}, "invalid"),
        ({"capture": True}, "invalid"),
    ],
)
def test_a_quote_is_refused_as_the_payment_would_be(
    pharmacy: Counter, untouched: Family, change: dict[str, Any], code: str
) -> None:
    token = pharmacy.token(untouched.beneficiary)
    quote(pharmacy, token, **({"owed": bill(100)} | as_told(change))).refused(code, 422)


def as_told(change: dict[str, Any]) -> dict[str, Any]:
    return {("owed" if name == "bill" else name): value for name, value in change.items()}


def test_a_quote_needs_presence(hospital: Counter, pharmacy: Counter, untouched: Family) -> None:
    token = hospital.token(untouched.beneficiary)
    assert quote(pharmacy, token, bill(100)).status == 401
    assert quote(pharmacy, "x" * 100, bill(100)).status == 401


def test_a_key_is_optional_and_gives_the_same_quote_again(
    pharmacy: Counter, untouched: Family
) -> None:
    told = {
        "presence_token": pharmacy.token(untouched.beneficiary),
        "purpose": "pharmacy",
        "bill": bill(100),
    }
    body = json.dumps(told).encode()
    first = pharmacy.send("POST", "/v1/quotes", body)
    assert first.of(200)["quote_id"] != pharmacy.send("POST", "/v1/quotes", body).json["quote_id"]
    key = new_key()
    named = pharmacy.send("POST", "/v1/quotes", body, key)
    again = pharmacy.send("POST", "/v1/quotes", body, key)
    assert (again.status, again.body, again.replayed) == (200, named.body, True)
