"""Who signs: a bad signature is refused before anything happens, and every answer is signed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from http_message_signatures import HTTPMessageVerifier, MappingKeyResolver
from http_message_signatures.algorithms import ED25519

from gateway.edge import signatures
from gateway.edge.signatures import UsedNonces
from gateway.store.nonces import Nonce
from gm.signing import generate_key_pair
from kit.postgres import open_pool
from tests.conftest import MigratedDatabase
from tests.support.gateway import PUBLIC, Town, a_town, payment, refused
from tests.support.gateway_neighbours import HOSPITAL, PHARMACY

PATH = "/v1/payments"
UNKNOWN = "/v1/payments/01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        yield town


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def uncovered(headers: Mapping[str, str], name: str) -> dict[str, str]:
    """Signature-Input as it is, but for one component: the signature no longer fits either."""
    return {
        **headers,
        "signature-input": headers["signature-input"].replace(f'"{name}" ', "", 1),
    }


Change = Callable[[dict[str, str]], dict[str, str]]

TAMPERED: dict[str, Change] = {
    "no signature": lambda headers: without(headers, "signature"),
    "no input": lambda headers: without(headers, "signature-input"),
    "neither": lambda headers: without(headers, "signature", "signature-input"),
    "no digest": lambda headers: without(headers, "content-digest"),
    "other digest": lambda headers: {**headers, "content-digest": "sha-256=:AAAA:"},
    "other key": lambda headers: {**headers, "idempotency-key": "another"},
    "key added": lambda headers: {**headers, "idempotency-key": f"{uuid4()}"},
    "other type": lambda headers: {**headers, "content-type": "text/plain"},
    "garbage": lambda headers: {**headers, "signature": "sig1=nonsense"},
    "short": lambda headers: {**headers, "signature": "sig1=:AAAA:"},
    "other label": lambda headers: {
        **headers,
        "signature": headers["signature"].replace("sig1", "sig2"),
    },
    "method not covered": lambda headers: uncovered(headers, "@method"),
    "target not covered": lambda headers: uncovered(headers, "@target-uri"),
}


@pytest.mark.rule("R28")
async def test_a_tampered_request_is_refused_before_anything_happens(town: Town) -> None:
    body = json.dumps(payment(await town.counter.presence(town.person))).encode()
    for name, change in TAMPERED.items():
        headers = town.counter.headers("POST", PATH, body, key="k-1")
        response = await town.counter.deliver("POST", PATH, change(headers), body)
        assert response.json()["code"] == "signature-invalid", name
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Signature")
        assert "signature" not in response.headers, name
    headers = town.counter.headers("POST", PATH, body, key="k-1")
    changed = body.replace(b'"amount_fen": 2685', b'"amount_fen": 2684')
    assert changed != body
    refused(await town.counter.deliver("POST", PATH, headers, changed), "signature-invalid", 401)
    other = await town.counter.deliver("POST", f"{PATH}?x=1", headers, body)
    refused(other, "signature-invalid", 401)
    assert town.neighbours.batches == []


@pytest.mark.rule("R28")
async def test_another_key_an_unknown_key_and_a_stale_signature_are_refused(town: Town) -> None:
    stranger = replace(
        town.counter,
        keys=replace(town.keys, institutions={HOSPITAL: generate_key_pair("ed25519").private}),
    )
    nobody = replace(town.counter, key_id="nobody-1")
    claimed = replace(town.counter, key_id=f"{PHARMACY}-1")
    for counter in (stranger, nobody, claimed, replace(nobody, key_id="n" * 200)):
        headers = counter.headers("GET", UNKNOWN)
        refused(await counter.deliver("GET", UNKNOWN, headers), "signature-invalid", 401)
    now = datetime.now(UTC)
    for seconds, code in ((-310, "signature-invalid"), (310, "signature-invalid"), (-290, "")):
        headers = town.counter.headers("GET", UNKNOWN, now=now + timedelta(seconds=seconds))
        response = await town.counter.deliver("GET", UNKNOWN, headers)
        refused(response, code or "not-found", 401 if code else 404)


async def test_a_signature_comes_before_key_body_and_presence(town: Town) -> None:
    for body, key in ((b"{}", "k"), (b"{not json", "k"), (b'{"presence_token": "x"}', None)):
        headers = town.counter.headers("POST", PATH, body, key=key)
        headers["signature"] = "sig1=:AAAA:"
        refused(await town.counter.deliver("POST", PATH, headers, body), "signature-invalid", 401)


async def test_a_nonce_serves_once(town: Town) -> None:
    nonce = uuid4().hex
    headers = town.counter.headers("GET", UNKNOWN, nonce=nonce)
    refused(await town.counter.deliver("GET", UNKNOWN, headers), "not-found", 404)
    again = await town.counter.deliver("GET", UNKNOWN, headers)
    refused(again, "signature-replayed", 401)
    town.counter.check(again, headers)
    fresh = town.counter.headers("GET", UNKNOWN, nonce=nonce)
    refused(await town.counter.deliver("GET", UNKNOWN, fresh), "signature-replayed", 401)
    pharmacy = town.counter.named(PHARMACY)
    headers = pharmacy.headers("GET", UNKNOWN, nonce=nonce)
    refused(await pharmacy.deliver("GET", UNKNOWN, headers), "not-found", 404)


async def test_of_fifty_at_once_with_one_nonce_one_is_admitted(town: Town) -> None:
    headers = town.counter.headers("GET", UNKNOWN)
    answers = await asyncio.gather(
        *(town.counter.deliver("GET", UNKNOWN, headers) for _ in range(50))
    )
    codes = sorted(answer.json()["code"] for answer in answers)
    assert codes == ["not-found"] + ["signature-replayed"] * 49


async def test_two_processes_race_for_nonces_and_each_is_used_once(
    migrated_database: MigratedDatabase,
) -> None:
    dsn = migrated_database("gateway")
    pools = [
        await open_pool(dsn, schema="cell_0", size=2, application_name=f"test-{n}")
        for n in range(2)
    ]
    try:
        doors = [UsedNonces(pool) for pool in pools]
        nonces = [Nonce(key_id="K", nonce=f"{n}", created=1_795_000_000) for n in range(300)]
        tries = [
            door.claim(nonce)
            for order in (nonces, nonces[::-1])
            for nonce in order
            for door in doors
        ]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(outcome is None for outcome in outcomes) == 300
        assert {type(outcome).__name__ for outcome in outcomes} == {"NoneType", "SignatureReplayed"}
    finally:
        for pool in pools:
            await pool.close()


async def test_old_nonces_are_forgotten_and_young_ones_are_not(town: Town) -> None:
    now = int(datetime.now(UTC).timestamp())
    pool = await open_pool(town.dsn, schema="cell_0", size=1, application_name="test")
    try:
        nonces = UsedNonces(pool)
        for age in (0, 300, signatures.KEPT_SECONDS - 5, signatures.KEPT_SECONDS + 5, 86_400):
            await nonces.claim(Nonce(key_id="K", nonce=f"{age}", created=now - age))
        await nonces.prune()
        left = await pool.fetch("SELECT nonce FROM nonce WHERE key_id = 'K'")
        assert {row["nonce"] for row in left} == {"0", "300", f"{signatures.KEPT_SECONDS - 5}"}
    finally:
        await pool.close()


class _Exchange:
    """A response as the oracle wants to see it."""

    def __init__(self, response: httpx.Response) -> None:
        self.status_code = response.status_code
        self.headers = response.headers
        self.url = str(response.request.url)
        self.request = response.request


async def test_every_answer_is_signed_as_a_stranger_would_verify_it(town: Town) -> None:
    token = await town.counter.presence(town.person)
    paid = await town.counter.post(PATH, payment(token))
    answers = [
        paid,
        await town.counter.post(PATH, {"presence_token": "x"}),
        await town.counter.get(UNKNOWN),
        await town.counter.get("/v1/nothing/here"),
        await town.counter.get("/v1/payments/%00"),
        await town.counter.send("PUT", PATH, b"{}"),
        await town.counter.send("POST", PATH, b"{" * 100, key="k"),
        await town.counter.send("POST", PATH, b'"\xff"', key="k"),
        await town.counter.send("POST", PATH, b"x" * (1 << 21), key="k"),
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [201, 422, 404, 404, 422, 405, 422, 422, 413]
    verifier = HTTPMessageVerifier(
        signature_algorithm=ED25519,
        key_resolver=MappingKeyResolver(
            public_keys={"gateway": town.keys.response_public}, private_keys={}
        ),
    )
    for answer in answers:
        assert answer.headers["traceparent"]
        exchange = _Exchange(answer)
        [verified] = verifier.verify(exchange, max_age=timedelta(seconds=60))
        covered = set(verified.covered_components)
        assert {'"@status"', '"content-digest"'} <= covered
        assert '"signature";req;key="sig1"' in covered
        verifier.verify_body(exchange, [verified], answer.content)


async def test_a_key_is_retired_within_the_seconds_it_is_remembered(
    migrated_database: MigratedDatabase, tmp_path: Path
) -> None:
    dsn = migrated_database("gateway")
    async with a_town(dsn, tmp_path, key_cache_seconds=0.2) as town:
        refused(await town.counter.get(UNKNOWN), "not-found", 404)
        pool = await open_pool(dsn, schema="cell_0", size=1, application_name="test")
        await pool.execute(
            "UPDATE institution_key SET valid_to = now(), valid_from = now() WHERE key_id = $1",
            f"{HOSPITAL}-1",
        )
        async with asyncio.timeout(5):
            while True:
                headers = town.counter.headers("GET", UNKNOWN)
                response = await town.counter.deliver("GET", UNKNOWN, headers)
                if response.status_code == 401:
                    break
        refused(response, "signature-invalid", 401)
        await pool.execute("UPDATE institution_key SET valid_to = NULL")
        await pool.close()


async def test_an_unsigned_caller_gets_an_unsigned_refusal(town: Town) -> None:
    response = await town.client.get(UNKNOWN)
    refused(response, "signature-invalid", 401)
    assert "signature" not in response.headers
    assert str(response.request.url).startswith(PUBLIC)
