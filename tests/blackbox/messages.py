"""RFC 9421 with ed25519 or a session, as a stranger would write it from the RFC and contract §2."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SM3
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_COMPONENT = re.compile(r'"(?P<name>[^"]+)"(?P<params>(?:;[a-z]+(?:="[^"]*")?)*)')


class Signs(Protocol):
    def sign(self, data: bytes, /) -> bytes: ...


class Verifies(Protocol):
    def verify(self, signature: bytes, data: bytes, /) -> None:
        """Raises InvalidSignature unless it fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKey:
    """What institution and gateway derive from their two halves: it signs and it verifies."""

    key_id: str
    secret: bytes = field(repr=False)

    @classmethod
    def derived(cls, ours: X25519PrivateKey, theirs: str, key_id: str) -> SessionKey:
        """From our half and the gateway's, in base64."""
        half = X25519PublicKey.from_public_bytes(base64.b64decode(theirs, validate=True))
        info = f"gongji session {key_id}".encode()
        derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=info)
        return cls(key_id=key_id, secret=derivation.derive(ours.exchange(half)))

    def _mac(self, data: bytes) -> HMAC:
        mac = HMAC(self.secret, SM3())
        mac.update(data)
        return mac

    def sign(self, data: bytes, /) -> bytes:
        return self._mac(data).finalize()

    def verify(self, signature: bytes, data: bytes, /) -> None:
        self._mac(data).verify(signature)


def half_of(private: X25519PrivateKey) -> str:
    """The public half, as the gateway wants it."""
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How a request is signed; the tests change one thing at a time."""

    key_id: str
    private_key: Signs
    label: str = "sig1"
    created: int | None = None
    nonce: str | None = None
    alg: str | None = None
    covered: Sequence[str] | None = None


def content_digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign(
    how: Signing, *, method: str, uri: str, headers: Mapping[str, str], body: bytes
) -> dict[str, str]:
    """The headers of a signed request; `uri` is the whole address with its query."""
    signed = {name.lower(): value for name, value in headers.items()}
    if body:
        signed["content-digest"] = content_digest(body)
    wanted = ["content-digest", "content-type", "idempotency-key"]
    covered = how.covered
    if covered is None:
        covered = ["@method", "@target-uri", *(name for name in wanted if name in signed)]
    values = {"@method": method, "@target-uri": uri, **signed}
    created = int(time.time()) if how.created is None else how.created
    nonce = secrets.token_urlsafe(18) if how.nonce is None else how.nonce
    params = " ".join(f'"{name}"' for name in covered)
    params = f'({params});created={created};keyid="{how.key_id}";nonce="{nonce}"'
    if how.alg is not None:
        params += f';alg="{how.alg}"'
    lines = [f'"{name}": {values[name]}' for name in covered]
    base = "\n".join([*lines, f'"@signature-params": {params}'])
    signature = base64.b64encode(how.private_key.sign(base.encode())).decode()
    return {
        **signed,
        "signature-input": f"{how.label}={params}",
        "signature": f"{how.label}=:{signature}:",
    }


def verify_answer(
    key: Verifies,
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    request: Mapping[str, str],
    key_id: str | None = None,
) -> None:
    """Raise unless the answer is signed by `key` and bound to the request's signature.

    `key_id` is the name the answer has to sign under, where that is known beforehand.
    """
    answer = {name.lower(): value for name, value in headers.items()}
    assert answer.get("content-digest") == content_digest(body), "digest does not fit the body"
    label, _, params = answer["signature-input"].partition("=")
    listed = params[1 : params.index(")")]
    covered = [(found["name"], found["params"]) for found in _COMPONENT.finditer(listed)]
    names = {name for name, _ in covered}
    assert {"@status", "content-digest", "signature"} <= names, f"covered only {sorted(names)}"
    assert key_id is None or f';keyid="{key_id}"' in params, f"signed under another key: {params}"
    lines = [
        f'"{name}"{params}: {_value(name, params, status, answer, request)}'
        for name, params in covered
    ]
    base = "\n".join([*lines, f'"@signature-params": {params}'])
    key.verify(byte_sequence(answer["signature"], label), base.encode())


def byte_sequence(field: str, label: str) -> bytes:
    found = re.search(rf"(?:^|,\s*){re.escape(label)}=:([A-Za-z0-9+/=]+):", field)
    assert found, f"no member {label} in {field}"
    return base64.b64decode(found[1])


def _value(
    name: str, params: str, status: int, answer: Mapping[str, str], request: Mapping[str, str]
) -> str:
    if name == "@status":
        return str(status)
    fields = request if ";req" in params else answer
    value = fields[name]
    member = re.search(r';key="([^"]+)"', params)
    if member is None:
        return value
    return f":{base64.b64encode(byte_sequence(value, member[1])).decode()}:"
