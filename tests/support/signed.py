"""Signed requests to tamper with: one made by our signer, one whose every word is chosen."""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

from gm.components import Message, joined_fields, signature_base
from gm.fields import parse_signature_inputs
from gm.message_signatures import (
    Signed,
    parse_request,
    sign_request,
    verify_request,
)
from gm.signing import generate_key_pair, signing_key, verifying_key

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
T = int(NOW.timestamp())
URI = "http://127.0.0.1:8080/v1/payments?dry=1"
BODY = b'{"amount_fen":1250}'
PAIR = generate_key_pair("ed25519")
KEY = signing_key("P65900200001-1", "ed25519", PAIR.private)
PUBLIC = verifying_key("P65900200001-1", "ed25519", PAIR.public)
BASIC = [("content-type", "application/json"), ("idempotency-key", "k-1")]

Headers = list[tuple[str, str]]


def digest_of(body: bytes, algorithm: str = "sha-256") -> str:
    name = algorithm.replace("-", "")
    return f"{algorithm}=:{b64encode(hashlib.new(name, body).digest()).decode()}:"


@dataclass(frozen=True, kw_only=True)
class Handmade:
    """A request whose Signature-Input is written by hand, then signed over our own base."""

    components: str = '"@method" "@target-uri" "content-digest" "content-type" "idempotency-key"'
    params: str = f';created={T};nonce="n-1";keyid="P65900200001-1"'
    label: str = "sig1"
    method: str = "POST"
    uri: str = URI
    headers: tuple[tuple[str, str], ...] = (*BASIC, ("content-digest", digest_of(BODY)))
    body: bytes = BODY

    def signed(self) -> Headers:
        text = f"({self.components}){self.params}"
        [covered] = parse_signature_inputs(f"{self.label}={text}").values()
        message = Message(
            fields=joined_fields(self.headers),
            headers=self.headers,
            method=self.method,
            target_uri=self.uri,
        )
        base = signature_base(message, covered.covered, covered.text)
        signature = b64encode(KEY.sign(base)).decode()
        return [
            *self.headers,
            ("signature-input", f"{self.label}={text}"),
            ("signature", f"{self.label}=:{signature}:"),
        ]

    def accepted(self) -> Signed:
        return accept(self.signed(), method=self.method, uri=self.uri, body=self.body)


def accept(headers: Headers, *, method: str = "POST", uri: str = URI, body: bytes = BODY) -> Signed:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    [candidate] = parse_request(method=method, target_uri=uri, headers=raw)
    return verify_request(candidate, PUBLIC, body=body, now=NOW)


def signed_by_us() -> Headers:
    added = sign_request(
        KEY, method="POST", target_uri=URI, headers=BASIC, body=BODY, now=NOW, nonce="n-1"
    )
    return [*BASIC, *added.items()]


def replaced(headers: Headers, name: str, value: str) -> Headers:
    return [(key, value if key == name else old) for key, old in headers]
