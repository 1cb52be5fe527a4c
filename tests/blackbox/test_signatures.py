"""HTTP message signatures (contract §2): what is accepted, what is refused before any business."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.blackbox.messages import content_digest
from tests.blackbox.world import JSON, Answer, Counter, Family, World, new_key

PATH = "/v1/payments"
COVERED = ["@method", "@target-uri", "content-digest", "content-type", "idempotency-key"]


def deliver(
    counter: Counter, body: bytes, change: dict[str, str | None], path: str = PATH
) -> Answer:
    """Send a signed payment after changing headers; None takes one away."""
    headers: dict[str, str] = counter.headers("POST", PATH, body, new_key())
    sent = {name: value for name, value in {**headers, **change}.items() if value is not None}
    return counter.world.send("POST", counter.world.stack.url("gateway") + path, body, sent)


def signing_as(counter: Counter, signing: dict[str, Any]) -> Counter:
    """A counter that signs in another way; its instant is told by how long ago it was."""
    changed = dict(signing)
    if "seconds_ago" in changed:
        changed["created"] = int(time.time()) - changed.pop("seconds_ago")
    return counter.signing_as(**changed)


@pytest.fixture(scope="module")
def body(hospital: Counter, untouched: Family) -> bytes:
    """A payment that would go through, were it signed well."""
    return json.dumps(hospital.payment(hospital.token(untouched.beneficiary), 1_000)).encode()


@pytest.mark.rule("R28")
@pytest.mark.parametrize(
    "signing",
    [
        {"private_key": Ed25519PrivateKey.generate()},
        {"key_id": "nobody"},
        {"seconds_ago": 86_400},
        {"seconds_ago": -86_400},
        {"alg": "hmac-sha256"},
        {"alg": "sm2-sm3"},
        {"nonce": ""},
        *({"covered": [name for name in COVERED if name != left]} for left in COVERED),
        {"covered": []},
    ],
    ids=lambda signing: str(signing)[:60],
)
def test_a_bad_signature_is_refused(
    hospital: Counter, untouched: Family, body: bytes, signing: dict[str, Any]
) -> None:
    counter = signing_as(hospital, signing)
    deliver(counter, body, {}).refused("signature-invalid", 401)
    assert untouched.available() == 100_000


@pytest.mark.rule("R28")
@pytest.mark.parametrize("seconds", [-360, 360])
def test_a_stale_signature_is_refused(hospital: Counter, body: bytes, seconds: int) -> None:
    counter = hospital.signing_as(created=int(time.time()) + seconds)
    deliver(counter, body, {}).refused("signature-invalid", 401)


@pytest.mark.rule("R28")
@pytest.mark.parametrize(
    "change",
    [
        {"signature": None},
        {"signature-input": None},
        {"signature": None, "signature-input": None},
        {"content-digest": None},
        {"content-digest": content_digest(b"something else")},
        {"content-digest": "sha-256=:AAAA:"},
        {"content-digest": "nonsense"},
        {"idempotency-key": "another"},
        {"content-type": "text/plain"},
        {"signature": "sig1=:AAAA:"},
        {"signature": "sig1=nonsense"},
        {"signature": "other=:AAAA:"},
        {"signature": "sig1=:"},
        {"signature-input": "sig1=("},
        {"signature-input": "nonsense"},
        {"signature-input": 'sig1=("@method");created=x;keyid=1'},
    ],
    ids=lambda change: str(change)[:60],
)
def test_a_tampered_request_is_refused(
    hospital: Counter, untouched: Family, body: bytes, change: dict[str, str | None]
) -> None:
    deliver(hospital, body, change).refused("signature-invalid", 401)
    assert untouched.available() == 100_000


@pytest.mark.rule("R28")
def test_a_tampered_body_is_refused_even_with_a_fresh_digest(
    hospital: Counter, untouched: Family, body: bytes
) -> None:
    headers = hospital.headers("POST", PATH, body, new_key())
    tampered = body.replace(b'"amount_fen": 1000', b'"amount_fen": 1001')
    assert tampered != body
    url = hospital.world.stack.url("gateway") + PATH
    hospital.world.send("POST", url, tampered, headers).refused("signature-invalid", 401)
    headers["content-digest"] = content_digest(tampered)
    hospital.world.send("POST", url, tampered, headers).refused("signature-invalid", 401)
    assert untouched.available() == 100_000


@pytest.mark.rule("R28")
def test_a_signature_for_another_address_is_refused(hospital: Counter, body: bytes) -> None:
    deliver(hospital, body, {}, f"{PATH}?x=1").refused("signature-invalid", 401)


@pytest.mark.rule("R28")
def test_a_signature_comes_before_everything_else(hospital: Counter) -> None:
    bad = hospital.signing_as(private_key=Ed25519PrivateKey.generate())
    deliver(bad, b"{}", {}).refused("signature-invalid", 401)
    deliver(bad, b'{"presence_token": "x"}', {"idempotency-key": None}).refused(
        "signature-invalid", 401
    )


def test_a_nonce_serves_once(hospital: Counter, family: Family) -> None:
    told = hospital.payment(hospital.token(family.beneficiary), 1_000)
    sent = json.dumps(told).encode()
    headers = hospital.headers("POST", PATH, sent, new_key())
    url = hospital.world.stack.url("gateway") + PATH
    hospital.world.send("POST", url, sent, headers).of(201)
    hospital.world.send("POST", url, sent, headers).refused("signature-replayed", 401)
    nonce = headers["signature-input"].split('nonce="')[1].split('"')[0]
    again = hospital.signing_as(nonce=nonce)
    deliver(again, sent, {}).refused("signature-replayed", 401)
    assert family.available() == 99_000


def test_institutions_have_nonces_of_their_own(
    hospital: Counter, pharmacy: Counter, untouched: Family
) -> None:
    nonce = new_key()
    path = "/v1/payments/01890a5d-ac96-774b-bcce-b302099a8057"
    for counter in (hospital, pharmacy):
        counter.signing_as(nonce=nonce).get(path).refused("not-found", 404)


@pytest.mark.parametrize(
    "signing",
    [
        {"label": "gateway-in-urumqi"},
        {"alg": "ed25519"},
        {"covered": list(reversed(COVERED))},
        {"covered": [*COVERED, "traceparent"]},
        {"seconds_ago": 60},
    ],
    ids=lambda signing: str(signing)[:60],
)
def test_any_label_order_and_optional_alg_are_accepted(
    hospital: Counter, family: Family, signing: dict[str, Any]
) -> None:
    """The answer is verified by the counter: it is bound to the request under any label."""
    told = hospital.payment(hospital.token(family.beneficiary), 1_000)
    sent = json.dumps(told).encode()
    counter = signing_as(hospital, signing)
    more = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    headers = counter.headers("POST", PATH, sent, new_key(), {"content-type": JSON, **more})
    url = counter.world.stack.url("gateway") + PATH
    counter.world.send("POST", url, sent, headers).of(201)


def test_queries_are_covered(hospital: Counter) -> None:
    path = "/v1/payments/01890a5d-ac96-774b-bcce-b302099a8057?a=1&b=%E5%85%B1"
    hospital.get(path).refused("not-found", 404)


def test_reading_needs_a_signature_too(world: World) -> None:
    url = f"{world.stack.url('gateway')}/v1/payments/01890a5d-ac96-774b-bcce-b302099a8057"
    world.send("GET", url).refused("signature-invalid", 401)
