"""Requests as bytes, signed beforehand: each has a nonce and an idempotency key of its own."""

from __future__ import annotations

import json
import random
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from contracts.public import Session
from gm.key_agreement import Half
from gm.message_signatures import sign_request
from gm.signing import SigningKey, signing_key
from tests.support.town_people import bill

AMOUNT_FEN = 100

PRESENCE, HOLD, CAPTURE, BENCH = "at-", "bench-hold-", "bench-capture-", "bench-"
"""How keys begin. All but the presences' end in the ledger."""

FIRST_OF_TWO = (PRESENCE, HOLD)
"""Keys of requests that another one follows: the pair counts once, by its second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """What a caller signs with, in a form that travels between processes."""

    key_id: str
    algorithm: str
    private: bytes = field(repr=False)

    def key(self) -> SigningKey:
        return signing_key(self.key_id, self.algorithm, self.private)


def begun_session(gateway: str, own: Signing) -> Signing:
    """A session of the institution that signs so."""
    url, half, key = f"{gateway}/v1/sessions", Half(), secrets.token_hex(12)
    body = json.dumps({"x25519_public_key": b64encode(half.public).decode()}).encode()
    headers = signed(own.key(), url, body, datetime.now(UTC), key)
    answer = httpx.post(url, content=body, headers=headers, trust_env=False)
    assert answer.status_code == 201, answer.text
    told = Session.model_validate_json(answer.content)
    secret = half.agree(
        b64decode(told.x25519_public_key), info=f"gongji session {told.key_id}".encode()
    )
    return Signing(key_id=told.key_id, algorithm=told.algorithm, private=secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One request on the wire, and the key it goes under."""

    key: str
    wire: bytes


class Script(Protocol):
    """What callers say. Travels to the generator's process and is written there."""

    def write(self, count: int, created: datetime) -> list[Letter]:
        """Requests whose signatures bear this time."""

    def follow(self, key: str, answer: bytes) -> Letter | None:
        """What the same caller says next, once what went under this key is answered so; None: its
        turn is over.
        """


def signed(
    key: SigningKey, url: str, body: bytes, created: datetime, idempotency_key: str
) -> dict[str, str]:
    headers = {"content-type": "application/json", "idempotency-key": idempotency_key}
    added = sign_request(
        key,
        method="POST",
        target_uri=url,
        headers=list(headers.items()),
        body=body,
        now=created,
        nonce=secrets.token_urlsafe(18),
    )
    return {**headers, **added}


def posted(
    key: SigningKey, url: str, body: bytes, created: datetime, idempotency_key: str
) -> Letter:
    headers = signed(key, url, body, created, idempotency_key)
    return Letter(key=idempotency_key, wire=on_the_wire(url, headers, body))


def on_the_wire(url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    address = urlsplit(url)
    lines = [
        f"POST {address.path} HTTP/1.1",
        f"host: {address.netloc}",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def payment_body(token: str, **change: object) -> bytes:
    told = {
        "presence_token": token,
        "purpose": "pharmacy",
        "bill": bill(AMOUNT_FEN),
        "amount_fen": AMOUNT_FEN,
        **change,
    }
    return json.dumps(told).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentScript:
    """One-step payments of 100 fen, each at random for one of the people with these tokens."""

    url: str
    signing: Signing
    tokens: Sequence[str]

    def write(self, count: int, created: datetime) -> list[Letter]:
        key, url = self.signing.key(), f"{self.url}/v1/payments"
        bodies = [payment_body(token) for token in self.tokens]
        choice = random.Random(count)
        run = secrets.token_hex(6)
        return [
            posted(key, url, choice.choice(bodies), created, f"bench-{run}-{n}")
            for n in range(count)
        ]

    def follow(self, _key: str, _answer: bytes) -> Letter | None:
        return None


@dataclass(slots=True, kw_only=True)
class PresenceScript:
    """Prove presence by a social-security card, then pay with the token that was given.

    The payment is signed on the spot, so that this caller costs more than the others.
    """

    url: str
    signing: Signing
    cert_nos: Sequence[str] = field(repr=False)
    _created: datetime | None = None
    _key: SigningKey | None = None

    def write(self, count: int, created: datetime) -> list[Letter]:
        self._key, self._created = self.signing.key(), created
        url, choice, run = f"{self.url}/v1/presences", random.Random(count), secrets.token_hex(6)
        return [
            posted(
                self._key,
                url,
                presence_body(choice.choice(self.cert_nos)),
                created,
                f"{PRESENCE}{run}-{n}",
            )
            for n in range(count)
        ]

    def follow(self, _key: str, answer: bytes) -> Letter | None:
        told = json.loads(answer)
        if "presence_token" not in told:
            return None
        assert self._key is not None
        assert self._created is not None
        url, name = f"{self.url}/v1/payments", f"bench-{secrets.token_hex(12)}"
        return posted(self._key, url, payment_body(told["presence_token"]), self._created, name)


@dataclass(slots=True, kw_only=True)
class HoldScript:
    """Hold 100 fen, each time at random for one of these people, and capture all of them.

    The capture is signed on the spot, so that this caller costs more than the others.
    """

    url: str
    signing: Signing
    tokens: Sequence[str] = field(repr=False)
    _created: datetime | None = None
    _key: SigningKey | None = None

    def write(self, count: int, created: datetime) -> list[Letter]:
        self._key, self._created = self.signing.key(), created
        url, choice, run = f"{self.url}/v1/payments", random.Random(count), secrets.token_hex(6)
        bodies = [payment_body(token, capture=False) for token in self.tokens]
        return [
            posted(self._key, url, choice.choice(bodies), created, f"{HOLD}{run}-{n}")
            for n in range(count)
        ]

    def follow(self, key: str, answer: bytes) -> Letter | None:
        told = json.loads(answer)
        if not key.startswith(HOLD) or told.get("state") != "held":
            return None
        assert self._key is not None
        assert self._created is not None
        url = f"{self.url}/v1/payments/{told['payment_id']}/capture"
        body = json.dumps({"amount_fen": AMOUNT_FEN}).encode()
        name = f"{CAPTURE}{key.removeprefix(HOLD)}"
        return posted(self._key, url, body, self._created, name)


def presence_body(cert_no: str) -> bytes:
    credential = {"type": "social_card", "value": cert_no, "card_sn": "A1"}
    return json.dumps({"credential": credential}).encode()
