"""Citizens: a good token, the own wallet, relations and quotas, and nobody else's."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from tests.conftest import MigratedDatabase
from tests.support.gateway import Town, a_town, refused
from tests.support.gateway_neighbours import AUDIENCE, ISSUER, Person

OTHER = Person(psn_no="44030000000000000002", cert_no="990000197503030027", name="王小明")


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        town.neighbours.people.append(OTHER)
        yield town


def proposal(**change: Any) -> dict[str, Any]:
    counterpart = {"psn_cert_type": "01", "cert_no": OTHER.cert_no, "name": OTHER.name}
    told = {
        "role": "beneficiary",
        "counterpart": counterpart,
        "kind": "parent",
        "commitment_version": "1",
    }
    return {**told, **change}


async def test_only_a_good_token_is_let_in(town: Town) -> None:
    now = int(time.time())
    neighbours, person = town.neighbours, town.person
    good = neighbours.token(person)
    header, payload, signature = good.split(".")
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 60, "psn_no": person.psn_no}
    stranger = OKPKey.generate_key("Ed25519", {"kid": "issuer-1"})
    tampered = payload[:-2] + ("AA" if payload[-2:] != "AA" else "BB")
    bad = {
        "none": "",
        "not one": "x",
        "two parts": "a.b",
        "tampered": f"{header}.{tampered}.{signature}",
        "unsigned": f"{header}.{payload}.",
        "alg none": f"eyJhbGciOiJub25lIn0.{payload}.",
        "alg HS256": jwt.encode(
            {"alg": "HS256"}, claims, OctKey.import_key("secret-secret-secret-secret-secret")
        ),
        "another's key": jwt.encode(
            {"alg": "Ed25519", "kid": "issuer-1"}, claims, stranger, algorithms=["Ed25519"]
        ),
        "expired": neighbours.token(person, exp=now - 60),
        "no expiry": neighbours.token(person, exp=None),
        "not yet": neighbours.token(person, nbf=now + 60),
        "another issuer": neighbours.token(person, iss="http://elsewhere"),
        "no issuer": neighbours.token(person, iss=None),
        "another audience": neighbours.token(person, aud="elsewhere"),
        "psn_no is a number": neighbours.token(psn_no=1),
        "psn_no with spaces": neighbours.token(psn_no="a b"),
        "long": "x" * 9000,
    }
    for name, token in bad.items():
        headers = {"authorization": f"Bearer {token}"}
        response = await town.client.get("/v1/me/wallet", headers=headers)
        assert response.json()["code"] == "token-invalid", name
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
    for headers in ({}, {"authorization": good}, {"authorization": f"Basic {good}"}):
        refused(await town.client.get("/v1/me/wallet", headers=headers), "token-invalid", 401)
    headers = {"authorization": f"bearer {good}"}
    assert (await town.client.get("/v1/me/wallet", headers=headers)).status_code == 200


async def test_a_clerk_is_not_a_citizen(town: Town) -> None:
    token = town.neighbours.token(sub="林清算", roles=["clearing"])
    headers = {"authorization": f"Bearer {token}"}
    for path in ("/v1/me/wallet", "/v1/me/quotas", f"/v1/me/relations/{uuid4()}"):
        refused(await town.client.get(path, headers=headers), "forbidden", 403)


async def test_a_new_key_of_the_issuer_is_fetched(town: Town) -> None:
    await town.ask("GET", "/v1/me/wallet")
    newer = OKPKey.generate_key("Ed25519", {"kid": "issuer-2"})
    object.__setattr__(town.keys, "issuer", newer)
    deadline = time.monotonic() + 5
    while (response := await town.ask("GET", "/v1/me/wallet")).status_code == 401:
        assert time.monotonic() < deadline
    assert response.status_code == 200


async def test_a_wallet_is_opened_and_read(town: Town) -> None:
    view = {
        "person_id": str(town.person.person_id),
        "open": True,
        "given_fen": 0,
        "received_fen": 0,
        "available_fen": 0,
    }
    town.neighbours.answers["open_wallet"] = (201, view)
    first = await town.ask("POST", "/v1/me/wallet", {}, key="k")
    again = await town.ask("POST", "/v1/me/wallet", {}, key="k")
    assert (first.status_code, first.json()) == (201, view)
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    [[call], _] = town.neighbours.batches
    assert call["caller"] == f"citizen:{town.person.person_id}"
    assert call["person_id"] == str(town.person.person_id)
    assert call["command"]["person"] == {
        "person_id": str(town.person.person_id),
        "version": 3,
        "psn_no": town.person.psn_no,
        "pool_admdvs": "659002",
        "insutype": "390",
        "insured": True,
    }
    read = await town.ask("GET", "/v1/me/wallet")
    assert read.json() == {**view, "received_fen": 500_00, "available_fen": 500_00}


async def test_somebody_unknown_is_not_found(town: Town) -> None:
    nobody = Person(psn_no="1")
    refused(await town.ask("GET", "/v1/me/wallet", person=nobody), "not-found", 404)
    refused(await town.ask("POST", "/v1/me/wallet", {}, person=nobody), "not-found", 404)


async def test_what_changes_something_needs_a_key(town: Town) -> None:
    headers = {"authorization": f"Bearer {town.neighbours.token(town.person)}"}
    relation_id = uuid4()
    for path in ("/v1/me/wallet", "/v1/me/relations", f"/v1/me/relations/{relation_id}/confirm"):
        response = await town.client.post(path, json={}, headers=headers)
        refused(response, "key-required", 422)


@pytest.mark.rule("R13")
async def test_a_guardian_opens_the_wallet_of_somebody_under_age(town: Town) -> None:
    child = Person(psn_no="65900000000000000077", of_age=False)
    other_child = Person(psn_no="65900000000000000078", of_age=False)
    town.neighbours.people += [child, other_child]
    told = {"on_behalf_of": child.psn_no}
    refused(await town.ask("POST", "/v1/me/wallet", {}, person=child), "consent-required", 403)
    for nobody, person, code, status in (
        (OTHER.psn_no, None, "consent-required", 403),
        (child.psn_no, other_child, "consent-required", 403),
        ("65900000000000000099", None, "not-found", 404),
    ):
        bad = await town.ask("POST", "/v1/me/wallet", {"on_behalf_of": nobody}, person=person)
        refused(bad, code, status)
    assert town.neighbours.batches == []
    town.neighbours.answers["open_wallet"] = (201, {"open": True})
    assert (await town.ask("POST", "/v1/me/wallet", told)).status_code == 201
    own = {"on_behalf_of": town.person.psn_no}
    assert (await town.ask("POST", "/v1/me/wallet", own)).status_code == 201
    [first], [second] = town.neighbours.batches
    assert first["caller"] == f"citizen:{town.person.person_id}"
    assert first["command"]["person"]["person_id"] == str(child.person_id)
    assert second["command"]["person"]["person_id"] == str(town.person.person_id)


@pytest.mark.rule("R13")
async def test_who_shares_with_a_child_may_look_and_nobody_else(town: Town) -> None:
    child = Person(psn_no="65900000000000000077", of_age=False)
    town.neighbours.people.append(child)
    told = {"on_behalf_of": child.psn_no}
    town.neighbours.answers["open_wallet"] = (200, {"open": True})
    for state, may_look in (("proposed", False), ("ended", False), ("active", True)):
        town.neighbours.relate(town.person, child, state)
        await town.ask("POST", "/v1/me/wallet", told)
        [call] = town.neighbours.batches.pop()
        assert call["command"]["may_look"] is may_look, state
    await town.ask("POST", "/v1/me/wallet", told, person=OTHER)
    await town.ask("POST", "/v1/me/wallet", {})
    [stranger], [oneself] = town.neighbours.batches
    assert stranger["command"]["may_look"] is False
    assert oneself["command"]["may_look"] is True


@pytest.mark.rule("R13")
async def test_a_guardian_speaks_for_somebody_and_relations_decides(town: Town) -> None:
    child = Person(psn_no="65900000000000000077", of_age=False)
    town.neighbours.people.append(child)
    relation_id = town.neighbours.relate(OTHER, child, "proposed")
    for word in ("propose", "confirm", "decline", "end"):
        town.neighbours.answers[f"{word}_relation"] = (200, {})
    told = {"on_behalf_of": child.psn_no}
    await town.ask("POST", "/v1/me/relations", proposal(**told))
    for word in ("confirm", "decline", "end"):
        await town.ask("POST", f"/v1/me/relations/{relation_id}/{word}", told)
    assert len(town.neighbours.batches) == 4
    for [call] in town.neighbours.batches:
        command = call["command"]
        assert call["person_id"] == str(town.person.person_id)
        assert command["guardian_id"] == str(town.person.person_id)
        assert child.person_id in (UUID(command.get("person_id") or command["proposer_id"]),)


async def test_a_relation_is_proposed_with_both_wallets_state(town: Town) -> None:
    town.neighbours.answers["propose_relation"] = (201, {"state": "proposed"})
    response = await town.ask("POST", "/v1/me/relations", proposal())
    assert (response.status_code, response.json()) == (201, {"state": "proposed"})
    [[call]] = town.neighbours.batches
    assert call["command"] == {
        "type": "propose_relation",
        "proposer_id": str(town.person.person_id),
        "counterpart_id": str(OTHER.person_id),
        "role": "beneficiary",
        "kind": "parent",
        "commitment_version": "1",
        "proposer_wallet_open": True,
        "counterpart_wallet_open": False,
        "guardian_id": None,
    }


async def test_a_counterpart_has_to_be_known_by_number_and_name(town: Town) -> None:
    good = proposal()["counterpart"]
    for change, code, status in (
        ({"name": "王五"}, "not-found", 404),
        ({"cert_no": "990000197503030028"}, "invalid", 422),
        ({"cert_no": "99000019900101003X"}, "invalid", 422),
        ({"psn_cert_type": "02"}, "not-found", 404),
    ):
        told = proposal(counterpart={**good, **change})
        if change == {"psn_cert_type": "02"}:
            told["counterpart"]["cert_no"] = "E12345678"
        problem = refused(await town.ask("POST", "/v1/me/relations", told), code, status)
        assert told["counterpart"]["cert_no"] not in str(problem)
        assert told["counterpart"]["name"] not in str(problem)
    assert town.neighbours.batches == []


async def test_a_relation_is_confirmed_and_read_by_its_two(town: Town) -> None:
    relation_id = town.neighbours.relate(town.person, OTHER, "active")
    path = f"/v1/me/relations/{relation_id}"
    shown = (await town.ask("GET", path)).json()
    assert shown == {
        "relation_id": relation_id,
        "role": "sharer",
        "kind": "parent",
        "state": "active",
    }
    assert (await town.ask("GET", path, person=OTHER)).json()["role"] == "beneficiary"
    stranger = Person(psn_no="3")
    town.neighbours.people.append(stranger)
    refused(await town.ask("GET", path, person=stranger), "not-found", 404)
    refused(await town.ask("GET", "/v1/me/relations/x"), "not-found", 404)
    town.neighbours.answers["confirm_relation"] = (202, {"state": "activating"})
    response = await town.ask("POST", f"{path}/confirm")
    assert (response.status_code, response.json()) == (202, {"state": "activating"})
    [[call]] = town.neighbours.batches
    assert call["command"] == {
        "type": "confirm_relation",
        "relation_id": relation_id,
        "person_id": str(town.person.person_id),
        "guardian_id": None,
    }


@pytest.mark.rule("R3")
@pytest.mark.parametrize(
    ("word", "status", "state"), [("decline", 200, "declined"), ("end", 202, "ending")]
)
async def test_a_relation_is_declined_or_ended_by_its_two(
    town: Town, word: str, status: int, state: str
) -> None:
    relation_id = town.neighbours.relate(town.person, OTHER, "active")
    town.neighbours.answers[f"{word}_relation"] = (status, {"state": state})
    for person in (town.person, OTHER):
        response = await town.ask("POST", f"/v1/me/relations/{relation_id}/{word}", person=person)
        assert (response.status_code, response.json()) == (status, {"state": state})
    assert [call["command"] for [call] in town.neighbours.batches] == [
        {
            "type": f"{word}_relation",
            "relation_id": relation_id,
            "person_id": str(person.person_id),
            "guardian_id": None,
        }
        for person in (town.person, OTHER)
    ]
    refused(await town.ask("POST", f"/v1/me/relations/x/{word}"), "not-found", 404)


@pytest.mark.rule("R12")
async def test_a_beneficiary_orders_the_sharers(town: Town) -> None:
    quota_ids = [str(uuid4()), str(uuid4())]
    town.neighbours.answers["order_sharers"] = (200, {"quota_ids": quota_ids})
    response = await town.ask("PUT", "/v1/me/quotas/order", {"quota_ids": quota_ids})
    assert (response.status_code, response.json()) == (200, {"quota_ids": quota_ids})
    [[call]] = town.neighbours.batches
    assert (call["key"], call["person_id"]) == (None, str(town.person.person_id))
    assert call["command"] == {
        "type": "order_sharers",
        "person_id": str(town.person.person_id),
        "quota_ids": quota_ids,
    }
    for bad in ({}, {"quota_ids": "x"}, {"quota_ids": ["x"]}, {"quota_ids": [1]}):
        refused(await town.ask("PUT", "/v1/me/quotas/order", bad), "invalid", 422)


async def test_only_the_sharer_of_an_active_relation_sets_the_quota(town: Town) -> None:
    neighbours, person = town.neighbours, town.person
    stranger = Person(psn_no="3")
    neighbours.people.append(stranger)
    told = {"available_fen": 300_00}
    for state, who, code, status in (
        ("active", OTHER, "forbidden", 403),
        ("active", stranger, "not-found", 404),
        ("proposed", person, "relation-not-active", 409),
        ("activating", person, "relation-not-active", 409),
        ("ended", person, "relation-not-active", 409),
    ):
        path = f"/v1/me/relations/{neighbours.relate(person, OTHER, state)}/quota"
        response = await town.ask("PUT", path, told, person=who)
        problem = refused(response, code, status)
        assert problem["retryable"] is (state == "activating")
        assert ("retry-after" in response.headers) is (state == "activating")
    assert neighbours.batches == []
    quota = {"quota_id": str(uuid4()), "state": "freezing"}
    neighbours.answers["set_quota"] = (202, quota)
    relation_id = neighbours.relate(person, OTHER)
    response = await town.ask("PUT", f"/v1/me/relations/{relation_id}/quota", told)
    assert (response.status_code, response.json()) == (202, quota)
    [[call]] = neighbours.batches
    assert call["key"] is None
    assert call["command"] == {
        "type": "set_quota",
        "relation_id": relation_id,
        "sharer_id": str(person.person_id),
        "beneficiary_id": str(OTHER.person_id),
        "available_fen": 300_00,
    }


async def test_quotas_are_listed_page_by_page(town: Town) -> None:
    ids = [str(uuid4()) for _ in range(5)]
    town.neighbours.quotas = [
        {
            "quota_id": quota_id,
            "state": "active",
            "available_fen": 1,
            "held_fen": 0,
            "spent_fen": 0,
            "granted_fen": 1,
            "relation_id": str(uuid4()),
            "role": "sharer",
            "refusal": None,
        }
        for quota_id in ids
    ]
    whole = (await town.ask("GET", "/v1/me/quotas")).json()
    assert [item["quota_id"] for item in whole["items"]] == ids
    assert (whole["next_cursor"], whole["as_of"]) == (None, "2026-11-21T08:00:00Z")
    seen: list[str] = []
    query = "?limit=2"
    while query:
        page = (await town.ask("GET", f"/v1/me/quotas{query}")).json()
        assert len(page["items"]) <= 2
        seen += [item["quota_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        query = f"?limit=2&cursor={cursor}" if cursor else ""
    assert seen == ids


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "limit=1.0", "limit=", "limit=1&limit=2", "limit",
        "cursor=x", "cursor=01890a5d-ac96-774b-bcce-b302099a8057", "unknown=1",
        "limit=-1", "limit=%FF", "limit=１",
        f"limit={'9' * 5000}",
    ],
)  # fmt: skip
async def test_a_wrong_query_is_invalid(town: Town, query: str) -> None:
    refused(await town.ask("GET", f"/v1/me/quotas?{query}"), "invalid", 422)


async def test_a_silent_relations_is_unavailable(town: Town) -> None:
    town.neighbours.silent.add("find")
    response = await town.ask("GET", "/v1/me/wallet")
    refused(response, "unavailable", 503)
    assert response.headers["retry-after"]
