"""The sandbox as a process on real PostgreSQL and Kafka: HTTP, topics, kill -9."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from gm.identity_number import check_identity_number
from gm.sm4gcm import Sealed, Sm4Key, open_sealed
from kit.audit import audit
from kit.kafka import Broker
from sandbox.store.audits import AUDITS
from tests.conftest import MigratedDatabase
from tests.support.kit import header, published, teller, until
from tests.support.outside import (
    Gateway,
    World,
    debit_ordered,
    freeze_requested,
    gateway_stand_in,
    world_of,
)

PERSON = {"insutype": "310", "insuplc_admdvs": "440300", "balance_fen": 500_00}


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with gateway_stand_in() as made:
        yield made


@pytest.fixture
def broker(kafka_bootstrap: str, topic_prefix: str) -> Broker:
    return Broker(bootstrap_servers=kafka_bootstrap, prefix=topic_prefix)


@pytest.fixture
async def world(
    migrated_database: MigratedDatabase,
    kafka_bootstrap: str,
    topic_prefix: str,
    tmp_path: Path,
    gateway: Gateway,
) -> AsyncIterator[World]:
    dsn = migrated_database("sandbox")
    async with world_of(
        dsn, kafka_bootstrap, topic_prefix, tmp_path, gateway, KNOWN_WITHIN_SECONDS="1"
    ) as made:
        yield made
        assert await audit(dsn, 1, AUDITS) == []


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=20) as made:
        yield made


async def make_person(client: httpx.AsyncClient, **other: Any) -> dict[str, Any]:
    response = await client.post("/people", json=PERSON | other)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def told(broker: Broker, province: str, key: str) -> list[tuple[str, dict[str, Any]]]:
    """Type and body of all that a province told under a key, each sequence once and gapless."""
    seen: dict[int, tuple[str, dict[str, Any]]] = {}
    for record in await published(broker, f"from.{province}"):
        if record.key.decode() == key:
            assert header(record, "ce_source") == f"/provinces/{province}"
            sequence = int(header(record, "ce_sequence") or 0)
            what = (header(record, "ce_type") or "", json.loads(record.value))
            assert seen.setdefault(sequence, what) == what
    assert sorted(seen) == list(range(1, len(seen) + 1))
    return [seen[sequence] for sequence in sorted(seen)]


async def test_everything_of_the_contract(
    world: World, client: httpx.AsyncClient, gateway: Gateway, broker: Broker
) -> None:
    world.start()
    await world.ready()
    await _a_person_is_announced_sealed(world, client, gateway, broker)
    await _tokens_verify_against_the_published_keys(world, client)
    await _a_code_tells_the_decoder_whose_it_is(client)
    await _accounts_are_shown_and_paid_into(client)
    await _enrolments_and_registrations_are_published(client, broker)
    await _the_world_is_shown(client)
    await _bad_input_is_refused_by_name(client)
    await _a_platform_that_does_not_know_the_person_is_told_on(client, gateway)


async def _a_person_is_announced_sealed(
    world: World, client: httpx.AsyncClient, gateway: Gateway, broker: Broker
) -> None:
    made = await make_person(client)
    assert set(made) == {*PERSON, "psn_no", "psn_cert_type", "cert_no", "name"}
    assert made["balance_fen"] == 500_00
    assert made["cert_no"].startswith("990000")
    check_identity_number(made["cert_no"])
    assert any(head.startswith("GET /v1/me/wallet") for head in gateway.asked)

    async def announced() -> list[tuple[str, dict[str, Any]]]:
        said = await told(broker, "440000", made["psn_no"])
        return said if len(said) == 2 else []

    (kind, enrolled), (second, registered) = await until(announced)
    assert (kind, second) == ("enrolment.changed.v1", "registration.changed.v1")
    assert (enrolled["status"], enrolled["pool_admdvs"]) == ("active", "440300")
    key = world.province_keys["440000"]
    opened = open_sealed(
        Sm4Key(key_id=key["key_id"], key=bytes.fromhex(key["sm4_key_hex"])),
        Sealed.from_wire(enrolled["sealed"]),
        aad=made["psn_no"].encode(),
    )
    assert json.loads(opened) == {"cert_no": made["cert_no"], "name": made["name"]}
    assert registered["mdtrtarea_admvs"] == "659002"
    assert registered["from"] < registered["to"]


async def _tokens_verify_against_the_published_keys(
    world: World, client: httpx.AsyncClient
) -> None:
    found = (await client.get("/.well-known/openid-configuration")).json()
    assert found["issuer"] == world.url
    jwks = (await client.get(found["jwks_uri"])).json()
    assert "d" not in jwks["keys"][0], "the private half stays at home"
    keys = KeySet.import_key_set(jwks)
    asked: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"psn_no": "360000123", "pool_admdvs": "360100"}, {"psn_no": "360000123"}),
        ({"clerk": "林清算", "roles": ["clearing"]}, {"roles": ["clearing"]}),
    ]
    for body, wanted in asked:
        token = (await client.post("/tokens", json=body)).json()["token"]
        claims = jwt.decode(token, keys, algorithms=["Ed25519"]).claims
        assert wanted.items() <= claims.items()
        assert (claims["iss"], claims["aud"]) == (world.url, "gongji")


async def _a_code_tells_the_decoder_whose_it_is(client: httpx.AsyncClient) -> None:
    made = await make_person(client)
    code = (await client.post("/ec-codes", json={"psn_no": made["psn_no"]})).json()["value"]
    for _ in range(2):
        said = (await client.post("/ec/query", json={"value": code})).json()
        assert (said["idNo"], said["userName"], said["idType"], said["insuOrg"]) == (
            made["cert_no"],
            made["name"],
            "01",
            "440300",
        )
    assert (await client.post("/ec/query", json={"value": "forged"})).status_code == 404


async def _accounts_are_shown_and_paid_into(client: httpx.AsyncClient) -> None:
    made = await make_person(client)
    account = f"/provinces/440000/accounts/{made['psn_no']}"
    assert (await client.get(account)).json() == {
        "balance_fen": 500_00,
        "frozen_fen": 0,
        "spendable_fen": 500_00,
    }
    paid = await client.post(f"{account}/deposits", json={"amount_fen": 1})
    assert paid.json()["balance_fen"] == 500_01
    most = await client.post(f"{account}/deposits", json={"amount_fen": 9_999_999_999_999_999})
    assert (most.status_code, most.json()["code"]) == (422, "invalid")
    resident = await make_person(client, insutype="390", insuplc_admdvs="659002", balance_fen=7)
    assert resident["balance_fen"] == 0
    account = f"/provinces/660000/accounts/{resident['psn_no']}"
    assert (await client.get(account)).json()["balance_fen"] == 0
    refused = await client.post(f"{account}/deposits", json={"amount_fen": 1})
    assert (refused.status_code, refused.json()["code"]) == (404, "no-account")


async def _enrolments_and_registrations_are_published(
    client: httpx.AsyncClient, broker: Broker
) -> None:
    psn_no = (await make_person(client))["psn_no"]
    ended = {"psn_no": psn_no, "status": "moved", "since": "2026-11-01", "reason": "moved"}
    assert (await client.post("/provinces/440000/enrolments", json=ended)).status_code == 202
    away = {"psn_no": psn_no, "mdtrtarea_admvs": "110000", "from": "2026-01-01", "to": "2026-02-01"}
    assert (await client.post("/provinces/440000/registrations", json=away)).status_code == 202

    async def announced() -> list[tuple[str, dict[str, Any]]]:
        said = await told(broker, "440000", psn_no)
        return said if len(said) == 4 else []

    said = await until(announced)
    assert ended.items() <= said[2][1].items()
    assert said[3] == ("registration.changed.v1", away)


async def _the_world_is_shown(client: httpx.AsyncClient) -> None:
    how = {
        "freeze": "silent",
        "late_ms": 5,
        "duplicate": True,
        "reorder": True,
        "premium": "refuse",
    }
    assert (await client.put("/provinces/660000/behaviour", json=how)).json() == how
    seen = (await client.get("/world")).json()
    assert len(seen["people"]) == 5
    assert set(seen["people"][0]) == {*PERSON, "psn_no", "psn_cert_type", "cert_no", "name"}
    by_code = {province["province"]: province for province in seen["provinces"]}
    assert len(by_code) == 32
    assert by_code["660000"] == {"province": "660000", "played": True, "behaviour": how}
    assert by_code["360000"]["played"] is False


BAD: list[tuple[str, str, object, int, str]] = [
    ("POST", "/people", PERSON | {"balance_fen": "100"}, 422, "invalid"),
    ("POST", "/people", PERSON | {"balance_fen": 1.0}, 422, "invalid"),
    ("POST", "/people", PERSON | {"balance_fen": -1}, 422, "invalid"),
    ("POST", "/people", PERSON | {"balance_fen": 10**30}, 422, "invalid"),
    ("POST", "/people", PERSON | {"balance_fen": True}, 422, "invalid"),
    ("POST", "/people", PERSON | {"unknown": 1}, 422, "invalid"),
    ("POST", "/people", PERSON | {"insutype": "999"}, 422, "invalid"),
    ("POST", "/people", PERSON | {"insuplc_admdvs": "999999"}, 422, "invalid"),
    ("POST", "/people", PERSON | {"insuplc_admdvs": "44030٠"}, 422, "invalid"),
    ("POST", "/people", PERSON | {"born_on": "2999-01-01"}, 422, "invalid"),
    ("POST", "/people", PERSON | {"born_on": "0001-01-01"}, 422, "invalid"),
    ("POST", "/people", PERSON | {"insuplc_admdvs": "360100"}, 422, "province-not-played"),
    ("POST", "/people", b"{", 422, "invalid"),
    ("POST", "/people", b"\xff", 422, "invalid"),
    ("POST", "/people", b"[" * 50_000, 422, "invalid"),
    ("POST", "/people", b"", 422, "invalid"),
    ("POST", "/people", b'"' + b"x" * (2 << 20) + b'"', 413, "too-large"),
    ("POST", "/tokens", {}, 422, "invalid"),
    ("POST", "/tokens", {"psn_no": "1", "clerk": "x", "roles": []}, 422, "invalid"),
    ("POST", "/tokens", {"clerk": "x"}, 422, "invalid"),
    ("POST", "/tokens", {"psn_no": "1\n"}, 422, "invalid"),
    ("POST", "/tokens", {"clerk": "x\x00", "roles": []}, 422, "invalid"),
    ("POST", "/ec-codes", {"psn_no": "nobody"}, 404, "not-found"),
    ("POST", "/ec/query", {"value": ""}, 422, "invalid"),
    ("GET", "/provinces/440000/accounts/nobody", None, 404, "not-found"),
    ("GET", "/provinces/999999/accounts/nobody", None, 404, "not-found"),
    ("GET", "/provinces/360000/accounts/nobody", None, 422, "province-not-played"),
    ("GET", "/provinces/440000/accounts/%ff%00", None, 422, "invalid"),
    ("GET", "/provinces/440000/accounts/%ff", None, 404, "not-found"),
    ("POST", "/provinces/440000/accounts/x/deposits", {"amount_fen": 1}, 404, "no-account"),
    ("POST", "/provinces/440000/accounts/x/deposits", {"amount_fen": 0}, 422, "invalid"),
    ("POST", "/provinces/440000/enrolments", {"psn_no": "x", "status": "on"}, 422, "invalid"),
    ("POST", "/provinces/440000/enrolments", {"psn_no": "x", "status": "ended"}, 404, "not-found"),
    ("PUT", "/provinces/440000/behaviour", {"freeze": "maybe"}, 422, "invalid"),
    ("PUT", "/provinces/440000/behaviour", {"late_ms": -1}, 422, "invalid"),
    ("PUT", "/provinces/440000/behaviour", {"duplicate": 1}, 422, "invalid"),
    ("PUT", "/provinces/360000/behaviour", {}, 422, "province-not-played"),
    ("DELETE", "/people", None, 405, "method-not-allowed"),
    ("GET", "/nowhere", None, 404, "not-found"),
]


async def _bad_input_is_refused_by_name(client: httpx.AsyncClient) -> None:
    before = (await client.get("/world")).json()
    for method, path, body, status, code in BAD:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await client.request(method, path, content=None if body is None else content)
        assert response.headers["content-type"] == "application/problem+json", (path, body)
        said = response.json()
        assert (response.status_code, said["code"]) == (status, code), (path, body, said)
        assert said["title_zh"]
    assert (await client.get("/world")).json() == before


async def _a_platform_that_does_not_know_the_person_is_told_on(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    gateway.status = 404
    response = await client.post("/people", json=PERSON)
    assert (response.status_code, response.json()["code"]) == (504, "platform-silent")
    assert "404" in response.json()["detail"]
    gateway.status = 200


@pytest.mark.parametrize(
    "faultpoint",
    [
        "door.before-commit:2",
        "consume.after-perform",
        "relay.after-publish:2",
    ],
)
async def test_killed_anywhere_a_core_freezes_and_debits_once_and_answers(
    world: World, client: httpx.AsyncClient, broker: Broker, faultpoint: str
) -> None:
    world.start(faultpoints=faultpoint)
    await world.ready()
    psn_no = (await make_person(client))["psn_no"]
    freeze = freeze_requested(psn_no, 300_00)
    order = debit_ordered(freeze, 100_00)
    async with teller(broker, "to.440000") as wallet:
        wallet.source = "/wallet/cell-0"
        key = str(freeze.quota_id)
        for n, asked in enumerate((freeze, order), 1):
            body = asked.model_dump_json().encode()
            await wallet.tell(key, body, type=asked.TYPE, sequence=n, id=f"e{n}")
    await world.died()
    world.start()
    await world.ready()

    async def answered() -> list[tuple[str, dict[str, Any]]]:
        said = await told(broker, "440000", psn_no)
        return said if len(said) >= 4 else []

    said = await until(answered, within=30)
    assert said[2:] == [
        ("account.freeze-confirmed.v1", {"freeze_id": str(freeze.freeze_id)}),
        ("account.debited.v1", {"order_id": str(order.order_id)}),
    ]
    assert (await client.get(f"/provinces/440000/accounts/{psn_no}")).json() == {
        "balance_fen": 400_00,
        "frozen_fen": 200_00,
        "spendable_fen": 200_00,
    }


async def test_a_world_survives_kill_and_an_overdraft_is_put_aside(
    world: World, client: httpx.AsyncClient, broker: Broker
) -> None:
    world.start()
    await world.ready()
    psn_no = (await make_person(client))["psn_no"]
    await client.put("/provinces/440000/behaviour", json={"freeze": "refuse"})
    before = (await client.get("/world")).json()
    jwks = (await client.get("/.well-known/jwks.json")).json()
    world.kill()
    world.start()
    await world.ready()
    assert (await client.get("/world")).json() == before
    assert (await client.get("/.well-known/jwks.json")).json() == jwks

    freeze = freeze_requested(psn_no, 1)
    async with teller(broker, "to.440000") as wallet:
        wallet.source = "/wallet/cell-0"
        order = debit_ordered(freeze, 1)
        await wallet.tell("q", order.model_dump_json().encode(), type=order.TYPE, sequence=1)
        await wallet.tell("r", freeze.model_dump_json().encode(), type=freeze.TYPE, sequence=1)

    async def dead() -> list[Any]:
        return await published(broker, "dead.sandbox")

    letter, *again = await until(dead)
    assert letter.key == b"q"
    assert all(each.value == letter.value for each in again), "at least once, and nothing else"
    assert b"Overdraft" in b" ".join(value for _, value in letter.headers)
    assert (await client.get("/world")).json() == before

    async def refused() -> list[tuple[str, dict[str, Any]]]:
        said = await told(broker, "440000", psn_no)
        return said if len(said) == 3 else []

    assert (await until(refused))[2][1]["reason"] == "refused"
