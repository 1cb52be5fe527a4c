"""Bad input at every route: the named refusal, never a 500, nothing told back, nothing changed."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.conftest import MigratedDatabase
from tests.support.gateway import CLERK, Town, a_town, payment, refused
from tests.support.gateway_neighbours import PERSON_NUMBER, Person

OTHER = Person(psn_no="44030000000000000002", cert_no="990000197503030027", name="王小明")
SECRET = "SECRETVALUE"


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        town.neighbours.people.append(OTHER)
        yield town


async def routes_of(town: Town) -> dict[tuple[str, str], Any]:
    """Every route that takes a body, with a good one."""
    relation_id = town.neighbours.relate(town.person, OTHER)
    counterpart = {"psn_cert_type": "01", "cert_no": OTHER.cert_no, "name": OTHER.name}
    return {
        ("POST", "/v1/payments"): payment(await town.counter.presence(town.person)),
        ("POST", "/v1/quotes"): {
            "presence_token": await town.counter.presence(town.person),
            "purpose": "outpatient",
            "bill": payment("")["bill"],
        },
        ("POST", "/v1/presences"): {
            "credential": {
                "type": "social_card",
                "value": PERSON_NUMBER,
                "card_sn": "A1",
                "psn_cert_type": "01",
            },
            "agent": {**counterpart, "relation": "child"},
        },
        ("POST", "/v1/sessions"): {"x25519_public_key": f"{'A' * 42}g="},
        ("POST", "/v1/me/wallet"): {"on_behalf_of": None},
        ("POST", "/v1/me/relations"): {
            "role": "beneficiary",
            "counterpart": counterpart,
            "kind": "parent",
            "commitment_version": "1",
        },
        ("POST", f"/v1/me/relations/{relation_id}/confirm"): {},
        ("POST", f"/v1/me/relations/{relation_id}/decline"): {},
        ("POST", f"/v1/me/relations/{relation_id}/end"): {},
        ("PUT", f"/v1/me/relations/{relation_id}/quota"): {"available_fen": 100},
        ("PUT", "/v1/me/quotas/order"): {"quota_ids": [str(uuid4())]},
        **{("POST", f"/v1/periods/2026-11/{step}"): {} for step in ("cut", "issue", "close")},
    }


async def send(town: Town, method: str, path: str, body: bytes) -> httpx.Response:
    """As an institution, a citizen or a clerk, whoever the route is for."""
    if path.startswith("/v1/me"):
        token = town.neighbours.token(town.person)
    elif path.startswith("/v1/periods"):
        token = town.neighbours.token(clerk=CLERK, roles=["clearing"])
    else:
        return await town.counter.send(method, path, body, key=uuid4().hex)
    headers = {
        "authorization": f"Bearer {token}",
        "idempotency-key": uuid4().hex,
        "content-type": "application/json",
    }
    return await town.client.request(method, path, content=body, headers=headers)


RAW = {
    "not JSON": b"{not json",
    "cut short": b'{"amount_fen": 1',
    "two values": b"{} {}",
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "bad UTF-8": b'{"kind": "\xff\xfe"}',
    "overlong UTF-8": b'{"kind": "\xc0\xaf"}',
    "NUL": b'{"kind": "a\\u0000b"}',
    "unpaired surrogate": b'{"kind": "\\ud800"}',
    "a list": b"[]",
    "a text": b'"payment"',
    "null": b"null",
    "digits": b'{"amount_fen": ' + b"9" * 5_000 + b"}",
    "NaN": b'{"amount_fen": NaN}',
    "UTF-16": '{"kind": "x"}'.encode("utf-16"),
    "form": b"a=1&b=2",
}

WRONG: dict[str, Any] = {
    "float": 1.0,
    "negative": -1,
    "huge": 10**30,
    "number as text": "100x!",
    "true": True,
    "null": None,
    "a list": [SECRET],
    "an object": {f"{SECRET} x": 1},
    "long": SECRET * 2_000,
    "control character": f"{SECRET}\x1b",
}
# Fields for which a value of the table is a good one.
GOOD = {
    ("capture", "true"),
    ("bill.items.0.eligible", "true"),
    ("on_behalf_of", "null"),
    ("bill.items", "null"),
    ("agent", "null"),
    ("credential.psn_cert_type", "null"),
    # A token is opaque: another text is a forged one, which is 401.
    ("presence_token", "number as text"),
    ("presence_token", "control character"),
}
NOT_CHECKED_HERE = {
    # Whether it is on the region's list is for relations to say.
    ("kind", "number as text"),
    ("commitment_version", "number as text"),
    # Names and numbers of cards are free text.
    ("agent.name", "number as text"),
    ("agent.relation", "number as text"),
    ("counterpart.name", "number as text"),
    ("credential.card_sn", "number as text"),
}


def places(told: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every field, and of every object, in a body."""
    found: list[tuple[Any, ...]] = []
    steps = told.items() if isinstance(told, dict) else enumerate(told)
    for step, value in steps:
        found.append((*at, step))
        if isinstance(value, dict | list):
            found += places(value, (*at, step))
    return found


def changed(told: Any, place: tuple[Any, ...], value: Any) -> Any:
    told = copy.deepcopy(told)
    inner = told
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return told


async def rows(town: Town) -> list[str]:
    """Everything the gateway keeps, nonces apart."""
    connection = await asyncpg.connect(town.dsn, server_settings={"search_path": "cell_0"})
    try:
        tables = ["receipt", "anchor", "outbox", "institution", "session", "quote"]
        tables += ["institution_key"]
        return [
            row["whole"]
            for table in tables
            for row in await connection.fetch(f"SELECT t::text AS whole FROM {table} AS t")
        ]
    finally:
        await connection.close()


async def test_bytes_that_are_no_body_are_invalid(town: Town) -> None:
    bodies = await routes_of(town)
    before, asked = await rows(town), len(town.neighbours.batches)
    for method, path in bodies:
        for name, body in RAW.items():
            response = await send(town, method, path, body)
            assert (response.status_code, response.json()["code"]) == (422, "invalid"), (path, name)
        refused(await send(town, method, path, b" " * (1 << 21)), "too-large", 413)
    assert (await rows(town), len(town.neighbours.batches)) == (before, asked)
    assert town.neighbours.months.asked == []


async def test_every_wrong_value_of_every_field_is_invalid(town: Town) -> None:
    before_all = await routes_of(town)
    before, asked = await rows(town), len(town.neighbours.batches)
    for (method, path), told in before_all.items():
        for place in places(told):
            where = ".".join(map(str, place))
            for name, value in WRONG.items():
                if (where, name) in GOOD | NOT_CHECKED_HERE:
                    continue
                body = json.dumps(changed(told, place, value)).encode()
                response = await send(town, method, path, body)
                what = (path, where, name, response.text[:300])
                assert (response.status_code, response.json()["code"]) == (422, "invalid"), what
                assert SECRET not in response.text, what
    assert (await rows(town), len(town.neighbours.batches)) == (before, asked)
    assert town.neighbours.months.asked == []


async def test_unknown_missing_and_doubled_fields_are_invalid(town: Town) -> None:
    bodies = await routes_of(town)
    before, asked = await rows(town), len(town.neighbours.batches)
    for (method, path), told in bodies.items():
        objects = [(), *(place for place in places(told) if isinstance(at(told, place), dict))]
        for place in objects:
            inner = at(told, place)
            cases = [{**inner, "unknown": 1}, {**inner, "990000198001010012": 1}]
            cases += [{k: v for k, v in inner.items() if k != name} for name in required(inner)]
            for case in cases:
                body = json.dumps(changed(told, place, case) if place else case).encode()
                problem = refused(await send(town, method, path, body), "invalid", 422)
                assert "990000198001010012" not in problem["detail"]
        if told:
            text = json.dumps(told)
            name, value = next(iter(told.items()))
            twice = f"{{{json.dumps(name)} : {json.dumps(value)}, {text[1:]}"
            problem = refused(await send(town, method, path, twice.encode()), "invalid", 422)
            assert problem["detail"] == "a field is given twice"
    assert (await rows(town), len(town.neighbours.batches)) == (before, asked)
    assert town.neighbours.months.asked == []


OPTIONAL = {
    "on_behalf_of", "agent", "psn_cert_type", "card_sn", "name", "items", "capture", "partial",
}  # fmt: skip


def required(inner: dict[str, Any]) -> set[str]:
    return set() if inner == {} else set(inner) - OPTIONAL


def at(told: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        told = told[step]
    return told


async def test_a_wrong_content_type_is_invalid(town: Town) -> None:
    headers = {
        "authorization": f"Bearer {town.neighbours.token(town.person)}",
        "idempotency-key": "k",
    }
    for content_type, status in (
        ("text/plain", 422),
        ("application/x-www-form-urlencoded", 422),
        ("application/jsonx", 422),
        ("Application/JSON; charset=utf-8", 201),
    ):
        response = await town.client.post(
            "/v1/me/wallet", content=b"{}", headers={**headers, "content-type": content_type}
        )
        assert response.status_code == status, response.text
    response = await town.client.request(
        "GET", "/v1/me/wallet", content=b"{}", headers={**headers, "content-type": "text/plain"}
    )
    refused(response, "invalid", 422)


@pytest.mark.parametrize(
    "identifier",
    [
        "x",
        "1",
        "01890a5d-ac96-774b-bcce",
        "%00",
        "..%2f..",
        "%C3%A9",
        "%ff%fe",
        "0" * 5000,
        "%7B%7D",
    ],
)
async def test_a_malformed_id_is_not_found(town: Town, identifier: str) -> None:
    code, status = ("invalid", 422) if identifier == "%00" else ("not-found", 404)
    refused(await town.counter.get(f"/v1/payments/{identifier}"), code, status)
    path = f"/v1/me/relations/{identifier}"
    refused(await town.ask("GET", path), code, status)
    refused(await town.ask("POST", f"{path}/confirm", {}), code, status)
    refused(await town.ask("PUT", f"{path}/quota", {"available_fen": 1}), code, status)


async def test_unknown_paths_and_methods_are_refused_by_name(town: Town) -> None:
    refused(await town.client.get("/v1/nothing"), "not-found", 404)
    refused(await town.client.get("/v1/payments/x/y"), "not-found", 404)
    refused(await town.client.get("/v1/me/wallet/"), "not-found", 404)
    response = await town.client.delete("/v1/me/wallet")
    refused(response, "method-not-allowed", 405)
    assert sorted(response.headers["allow"].split(", ")) == ["GET", "POST"]
    response = await town.client.head("/v1/me/wallet")
    assert response.status_code == 405


async def test_openapi_lists_what_is_served(town: Town) -> None:
    told = (await town.client.get("/openapi.json")).json()
    served = {(path, method) for path, item in told["paths"].items() for method in item}
    assert served == {
        ("/v1/presences", "post"),
        ("/v1/sessions", "post"),
        ("/v1/quotes", "post"),
        ("/v1/payments", "post"),
        ("/v1/payments", "get"),
        ("/v1/payments/{payment_id}", "get"),
        ("/v1/payments/{payment_id}/capture", "post"),
        ("/v1/payments/{payment_id}/extend", "post"),
        ("/v1/payments/{payment_id}/release", "post"),
        ("/v1/payments/{payment_id}/refunds", "post"),
        ("/v1/reversals", "post"),
        ("/v1/requests/{key}", "get"),
        ("/v1/explain/{key}", "get"),
        ("/v1/me/wallet", "post"),
        ("/v1/me/wallet", "get"),
        ("/v1/me/relations", "post"),
        ("/v1/me/relations/{relation_id}", "get"),
        ("/v1/me/relations/{relation_id}/confirm", "post"),
        ("/v1/me/relations/{relation_id}/decline", "post"),
        ("/v1/me/relations/{relation_id}/end", "post"),
        ("/v1/me/relations/{relation_id}/quota", "put"),
        ("/v1/me/quotas/order", "put"),
        ("/v1/me/quotas", "get"),
        ("/v1/me/premiums", "post"),
        ("/v1/me/timeline", "get"),
        ("/v1/me/premiums", "post"),
        ("/v1/periods/{month}", "get"),
        ("/v1/periods/{month}/cut", "post"),
        ("/v1/periods/{month}/issue", "post"),
        ("/v1/periods/{month}/close", "post"),
        ("/v1/periods/{month}/statements", "get"),
        ("/v1/prefunds", "get"),
    }
    either = told["paths"]["/v1/periods/{month}/statements"]["get"]
    assert either["security"] == [{"token": ["clearing"]}, {"signature": []}]
    assert either["tags"] == ["clerks", "institutions"]
    roles = told["paths"]["/v1/prefunds"]["get"]["security"]
    assert roles == [{"token": ["clearing"]}, {"token": ["prefund"]}]
    assert told["paths"]["/v1/periods/{month}"]["get"]["security"] == [{"token": ["clearing"]}]
    assert told["paths"]["/v1/me/wallet"]["get"]["security"] == [{"token": []}]
    operation = told["paths"]["/v1/payments"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert set(operation["responses"]) == {"201", "401", "404", "409", "413", "422", "429", "503"}
    assert "`capture: false`" in operation["description"]
    references = set(_references(told))
    known = {f"#/components/schemas/{name}" for name in told["components"]["schemas"]}
    assert references <= known
    for method, path in (("POST", "/v1/payments"), ("GET", "/v1/me/wallet")):
        assert (await town.client.request(method, path)).status_code == 401


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in _references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for value in node.values() for found in _references(value)]
