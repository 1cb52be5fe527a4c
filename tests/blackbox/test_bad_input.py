"""Malformed requests: every route × every way of being wrong; never a 500, nothing changes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.blackbox.world import ALAR, SHENZHEN, Answer, Counter, Family, World, new_key

HUGE = 10**30


def deep(depth: int) -> bytes:
    return b'{"bill":' + b"[" * depth + b"]" * depth + b"}"


# Bytes that are no JSON object of ours, whatever the route.
RAW: dict[str, bytes] = {
    "no JSON": b"{not json",
    "cut short": b'{"amount_fen": 1',
    "deep": deep(10_000),
    "very deep": deep(200_000),
    "bad UTF-8": b'{"kind": "\xff\xfe"}',
    "overlong UTF-8": b'{"kind": "\xc0\xaf"}',
    "NUL": b'{"kind": "a\x00b"}',
    "escaped NUL": b'{"kind": "a\\u0000b"}',
    "unpaired surrogate": b'{"kind": "\\ud800"}',
    "a list": b"[]",
    "a text": b'"payment"',
    "null": b"null",
    "a number of many digits": b'{"amount_fen": ' + b"9" * 5_000 + b"}",
    "NaN": b'{"amount_fen": NaN}',
    "infinite": b'{"amount_fen": 1e999}',
    "nothing": b"",
    "UTF-16": '{"kind": "x"}'.encode("utf-16"),
}

# What a field of a good body is replaced by.
WRONG: dict[str, Any] = {
    "float": 1.0,
    "negative": -1,
    "huge": HUGE,
    "number as text": "100",
    "true": True,
    "null": None,
    "a list": [],
    "an object": {},
    "a long text": "x" * 20_000,
    "NUL": "a\x00b",
}

Change = Callable[[dict[str, Any]], None]


def put(path: str, value: Any) -> Change:
    def change(told: dict[str, Any]) -> None:
        *outer, last = path.split(".")
        place: Any = told
        for name in outer:
            place = place[int(name) if name.isdigit() else name]
        place[last] = value

    return change


PAYMENT_FIELDS = (
    "presence_token",
    "purpose",
    "amount_fen",
    "bill",
    "bill.medfee_sumamt_fen",
    "bill.psn_part_fen",
    "bill.med_type",
    "bill.items",
    "bill.items.0.amount_fen",
    "bill.items.0.category",
    "bill.items.0.eligible",
    "capture",
    "partial",
    "quote_id",
    "hold_seconds",
)
# Values that these fields may well have.
GOOD = {
    ("capture", "true"),
    ("bill.items.0.eligible", "true"),
    ("quote_id", "null"),
    ("hold_seconds", "null"),
    ("bill.items", "null"),
    ("capture", "null"),
    ("partial", "null"),
    ("bill.items", "a list"),
    ("presence_token", "number as text"),
    # Not a code of the dictionary, yet of its form.
    ("bill.med_type", "number as text"),
}
PRESENCE = {"presence-expired"}
NAMED = {"invalid", "too-large"}


@pytest.mark.parametrize("field", PAYMENT_FIELDS)
def test_a_wrong_field_of_a_payment_is_invalid(
    pharmacy: Counter, family: Family, field: str
) -> None:
    good = pharmacy.payment(pharmacy.token(family.beneficiary), 1_000)
    for name, value in WRONG.items():
        if (field, name) in GOOD:
            continue
        told = copy.deepcopy(good)
        put(field, value)(told)
        answer = pharmacy.post("/v1/payments", told)
        codes = NAMED | (PRESENCE if field == "presence_token" else set())
        assert answer.code in codes, f"{field} = {name}: {answer.status} {answer.body[:300]!r}"
        assert answer.status in (401, 413, 422)
    for change in (put(f"{field}_", 1), put("bill.unknown", 1), put("bill.items.0.unknown", 1)):
        told = copy.deepcopy(good)
        change(told)
        pharmacy.post("/v1/payments", told).refused("invalid", 422)
    assert family.available() == 100_000


def test_an_amount_of_nothing_is_invalid(pharmacy: Counter, family: Family) -> None:
    told = pharmacy.payment(pharmacy.token(family.beneficiary), 1_000) | {"amount_fen": 0}
    pharmacy.post("/v1/payments", told).refused("invalid", 422)


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/presences"])
def test_bytes_that_are_no_body_are_invalid_at_the_counter(hospital: Counter, path: str) -> None:
    for name, body in RAW.items():
        answer = hospital.send("POST", path, body, new_key())
        assert answer.code == "invalid", f"{name}: {answer.status} {answer.body[:300]!r}"
        assert answer.status == 422


def test_bytes_that_are_no_body_are_invalid_for_citizens(world: World, untouched: Family) -> None:
    routes = [
        ("POST", "/v1/me/relations"),
        ("PUT", f"/v1/me/relations/{untouched.relation_id}/quota"),
    ]
    for method, path in routes:
        for name, body in RAW.items():
            answer = raw(world, untouched, method, path, body)
            assert answer.code == "invalid", f"{path} {name}: {answer.status} {answer.body!r}"
            assert answer.status == 422
    assert untouched.available() == 100_000


def raw(world: World, family: Family, method: str, path: str, body: bytes) -> Answer:
    headers = {
        "authorization": f"Bearer {family.sharer.token}",
        "idempotency-key": new_key(),
        "content-type": "application/json",
    }
    return world.send(method, world.stack.url("gateway") + path, body, headers)


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/presences", "/v1/me/relations"])
def test_a_body_beyond_the_limit_is_too_large(
    world: World, hospital: Counter, untouched: Family, path: str
) -> None:
    body = json.dumps({"kind": "x" * (9 << 20)}).encode()
    if path.startswith("/v1/me"):
        answer = raw(world, untouched, "POST", path, body)
    else:
        answer = hospital.send("POST", path, body, new_key())
    answer.refused("too-large", 413)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_quota_is_invalid(untouched: Family, name: str) -> None:
    path = f"/v1/me/relations/{untouched.relation_id}/quota"
    answer = untouched.sharer.ask("PUT", path, {"available_fen": WRONG[name]})
    answer.refused("invalid", 422)
    assert untouched.available() == 100_000


@pytest.mark.parametrize(
    "told",
    [{}, {"available_fen": 1, "unknown": 1}, {"available": 1}],
    ids=["missing", "unknown beside", "other name"],
)
def test_a_quota_of_other_fields_is_invalid(untouched: Family, told: dict[str, int]) -> None:
    path = f"/v1/me/relations/{untouched.relation_id}/quota"
    untouched.sharer.ask("PUT", path, told).refused("invalid", 422)


RELATION_FIELDS = (
    "role",
    "kind",
    "commitment_version",
    "counterpart",
    "counterpart.cert_no",
    "counterpart.name",
    "counterpart.psn_cert_type",
)


@pytest.mark.parametrize("field", RELATION_FIELDS)
def test_a_wrong_field_of_a_relation_is_refused(
    world: World, untouched: Family, field: str
) -> None:
    good = {
        "role": "sharer",
        "counterpart": untouched.beneficiary.counterpart(),
        "kind": "parent",
        "commitment_version": "1",
    }
    for name, value in WRONG.items():
        if name == "number as text" and field != "role":
            continue
        told = copy.deepcopy(good)
        put(field, value)(told)
        answer = untouched.sharer.ask("POST", "/v1/me/relations", told)
        answer.refused("invalid", 422)
    told = copy.deepcopy(good)
    put(f"{field}_", 1)(told)
    untouched.sharer.ask("POST", "/v1/me/relations", told).refused("invalid", 422)


CREDENTIALS: dict[str, Any] = {
    "no type": {"value": "x"},
    "unknown type": {"type": "passport", "value": "x"},
    "no value": {"type": "id_card"},
    "number": {"type": "id_card", "value": 990000197001010018},
    "unknown field": {"type": "e_certificate", "value": "x", "pin": "1"},
    "NUL": {"type": "id_card", "value": "99000019700101\x000015"},
    "long": {"type": "e_certificate", "value": "x" * 10_000},
    "empty": {"type": "e_certificate", "value": ""},
    "card without its number": {"type": "social_card", "value": "x"},
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_malformed_credential_is_invalid(hospital: Counter, name: str) -> None:
    answer = hospital.post("/v1/presences", {"credential": CREDENTIALS[name]})
    answer.refused("invalid", 422)


@pytest.mark.parametrize(
    "identifier", ["x", "1", "01890a5d-ac96-774b-bcce", "%00", "..%2f..", "é", "%ff%fe", "0" * 5000]
)
def test_a_malformed_id_is_no_error_of_ours(
    hospital: Counter, untouched: Family, identifier: str
) -> None:
    person = untouched.sharer
    answers = [
        person.ask("GET", f"/v1/me/relations/{identifier}"),
        person.ask("POST", f"/v1/me/relations/{identifier}/confirm", {}),
        person.ask("PUT", f"/v1/me/relations/{identifier}/quota", {"available_fen": 1}),
    ]
    if identifier.isascii():
        answers.append(hospital.get(f"/v1/payments/{identifier}"))
    for answer in answers:
        assert answer.status in (400, 404, 405, 414, 422, 431), answer.body[:300]
        assert answer.status == 400 or answer.code in ("invalid", "not-found", "method-not-allowed")


def test_a_foreign_id_is_not_found(world: World, untouched: Family) -> None:
    stranger = world.citizen(SHENZHEN)
    other = world.citizen(ALAR, insutype="390")
    mine = stranger.relate("sharer", other)
    for person, relation_id in ((stranger, untouched.relation_id), (untouched.sharer, mine)):
        path = f"/v1/me/relations/{relation_id}"
        person.ask("GET", path).refused("not-found", 404)
        person.ask("POST", f"{path}/confirm", {}).refused("not-found", 404)
        person.ask("PUT", f"{path}/quota", {"available_fen": 1}).refused("not-found", 404)
