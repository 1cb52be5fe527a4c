"""Sessions (contract §2): one long signature, then a MAC that both sides derive."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.blackbox.messages import Signs, half_of
from tests.blackbox.world import Counter, Family, new_key

UNKNOWN = "/v1/payments/01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture(scope="module")
def session(hospital: Counter) -> Counter:
    return hospital.begun()


def test_a_session_is_told_as_the_contract_says(hospital: Counter) -> None:
    told = hospital.begin(X25519PrivateKey.generate()).of(201)
    assert {"key_id", "x25519_public_key", "algorithm", "expires_at"} <= told.keys()
    assert told["algorithm"] == "hmac-sm3"
    assert len(base64.b64decode(told["x25519_public_key"], validate=True)) == 32
    left = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
    assert timedelta(0) < left <= timedelta(hours=12, seconds=5)
    assert told["key_id"] != hospital.key.key_id


def test_presence_and_payment_in_a_session(session: Counter, family: Family) -> None:
    """The counter verifies every answer under the session's key."""
    paid = session.pay(session.token(family.beneficiary), 1_000).of(201)
    assert (paid["state"], paid["institution"]) == ("captured", session.key.code)
    assert session.get(f"/v1/payments/{paid['payment_id']}").of(200) == paid
    assert family.available() == 99_000


def test_a_session_is_its_institution_and_nobody_else(
    hospital: Counter, pharmacy: Counter, session: Counter, family: Family
) -> None:
    key, token = new_key(), session.token(family.beneficiary)
    first = session.pay(token, 1_000, key=key)
    paid = first.of(201)
    # Receipts are the institution's, whichever of its keys signs.
    again = hospital.pay(token, 1_000, key=key)
    assert (again.replayed, again.body) == (True, first.body)
    pharmacy.begun().get(f"/v1/payments/{paid['payment_id']}").refused("not-found", 404)
    pharmacy.begun().pay(token, 1_000).refused("presence-expired", 401)
    assert family.available() == 99_000


def test_refusals_are_signed_by_the_session_too(session: Counter) -> None:
    session.get(UNKNOWN).refused("not-found", 404)
    session.post("/v1/payments", {"presence_token": "x"}).refused("invalid", 422)
    session.send("POST", "/v1/payments", b"{}").refused("key-required", 422)
    session.send("POST", "/v1/payments", b"{not json", "k").refused("invalid", 422)


def test_alg_may_be_said(session: Counter) -> None:
    session.signing_as(alg="hmac-sm3").get(UNKNOWN).refused("not-found", 404)
    for other in ("ed25519", "hmac-sha256"):
        session.signing_as(alg=other).get(UNKNOWN).refused("signature-invalid", 401)


@pytest.mark.rule("R28")
def test_a_forged_mac_is_refused(hospital: Counter, session: Counter, untouched: Family) -> None:
    assert session.session is not None
    told = session.payment(session.token(untouched.beneficiary), 1_000)
    other = hospital.begun().session
    forgeries: list[tuple[str, Signs]] = [
        (session.session.key_id, replace(session.session, secret=bytes(32))),
        (f"{session.session.key_id}x", session.session),
        (hospital.key.key_id, session.session),
        (session.session.key_id, hospital.key.private_key),
    ]
    assert other is not None
    forgeries.append((session.session.key_id, other))
    for key_id, private_key in forgeries:
        forger = session.signing_as(key_id=key_id, private_key=private_key)
        forger.post("/v1/payments", told).refused("signature-invalid", 401)
    assert untouched.available() == 100_000


@pytest.mark.parametrize(
    "signing", [{"nonce": ""}, {"created": 1_600_000_000}, {"covered": ["@method"]}], ids=str
)
def test_a_mac_has_to_cover_what_a_signature_has_to(
    session: Counter, signing: dict[str, object]
) -> None:
    session.signing_as(**signing).get(UNKNOWN).refused("signature-invalid", 401)


def test_a_nonce_serves_once_in_a_session(session: Counter) -> None:
    nonce = new_key()
    session.signing_as(nonce=nonce).get(UNKNOWN).refused("not-found", 404)
    session.signing_as(nonce=nonce).get(UNKNOWN).refused("signature-replayed", 401)


def test_a_session_begins_no_session(session: Counter) -> None:
    session.begin(X25519PrivateKey.generate()).refused("forbidden", 403)


def test_the_same_key_begins_one_session(hospital: Counter) -> None:
    ours, key = X25519PrivateKey.generate(), new_key()
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: hospital.begin(ours, key), range(8)))
    done = [answer for answer in answers if answer.status == 201]
    assert len({answer.body for answer in done}) == 1
    assert sum(not answer.replayed for answer in done) == 1
    for answer in answers:
        if answer.status != 201:
            answer.refused("in-progress", 409)
    hospital.in_session(done[0].json, ours).get(UNKNOWN).refused("not-found", 404)
    hospital.begin(X25519PrivateKey.generate(), key).refused("key-reused", 422)


def test_a_session_needs_an_idempotency_key(hospital: Counter) -> None:
    body = json.dumps({"x25519_public_key": half_of(X25519PrivateKey.generate())}).encode()
    hospital.send("POST", "/v1/sessions", body).refused("key-required", 422)


Change = Callable[[bytes], object]

BAD: dict[str, Change] = {
    "short": lambda raw: base64.b64encode(raw[:31]).decode(),
    "long": lambda raw: base64.b64encode(raw + b"x").decode(),
    "hex": lambda raw: raw.hex(),
    "other alphabet": lambda raw: base64.urlsafe_b64encode(b"\xff" * 32).decode(),
    "no padding": lambda raw: base64.b64encode(raw).decode().rstrip("="),
    "spaced": lambda raw: base64.b64encode(raw).decode() + " ",
    "empty": lambda _: "",
    "null": lambda _: None,
    "number": lambda raw: int.from_bytes(raw, "little"),
    "low order 0": lambda _: base64.b64encode(bytes(32)).decode(),
    "low order 1": lambda _: base64.b64encode(b"\1" + bytes(31)).decode(),
    "low order p": lambda _: base64.b64encode((2**255 - 19).to_bytes(32, "little")).decode(),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_half_is_invalid(hospital: Counter, what: str) -> None:
    raw = X25519PrivateKey.generate().public_key().public_bytes_raw()
    told = {"x25519_public_key": BAD[what](raw)}
    hospital.post("/v1/sessions", told).refused("invalid", 422)
    hospital.post("/v1/sessions", {}).refused("invalid", 422)
