"""Signed HTTP messages (RFC 9421), as contract §2 asks for them.

A request is verified in two steps, so that the key can be looked up between them:

    for candidate in parse_request(method=…, target_uri=…, headers=…):
        if key := await key_of(candidate.keyid):
            signed = verify_request(candidate, key, body=…, now=…)

Whether the nonce has been seen before is the caller's question: only a store can answer it.
Responses are signed over status, body and the signature of the request that they answer.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from gm.components import Header, Message, joined_fields, signature_base
from gm.content_digest import check_content_digest, content_digest
from gm.fields import (
    Component,
    Covered,
    SignatureInput,
    SignatureInvalid,
    byte_sequence,
    covering,
    parse_signature_inputs,
    parse_signatures,
    quoted,
)
from gm.signing import SigningKey, VerifyingKey

__all__ = [
    "Candidate",
    "SignatureInvalid",
    "Signed",
    "parse_request",
    "sign_request",
    "sign_response",
    "verify_request",
    "verify_response",
]

MAX_AGE_SECONDS = 300
LONGEST_PARAMETER = 255
MOST_SIGNATURES = 8
RESPONSE_LABEL = "gongji"


class Candidate(NamedTuple):
    """A signature that stands on a message, read but not believed."""

    label: str
    keyid: str
    signature: bytes
    signature_text: str
    input: SignatureInput
    message: Message


class Signed(NamedTuple):
    """A signature that was verified. `created` is in Unix seconds, as the signer wrote it."""

    label: str
    keyid: str
    created: int
    nonce: str
    covered: tuple[str, ...]
    signature_text: str


def parse_request(
    *, method: str, target_uri: str, headers: Sequence[Header]
) -> tuple[Candidate, ...]:
    """Every signature on a request that names its key: at least one, else `SignatureInvalid`.

    `target_uri` is the configured public address with path and query as they were received.
    """
    fields = joined_fields(headers)
    message = Message(fields=fields, headers=headers, method=method, target_uri=target_uri)
    return _candidates(message)


def verify_request(
    candidate: Candidate,
    key: VerifyingKey,
    *,
    body: bytes,
    now: datetime,
    max_age_seconds: int = MAX_AGE_SECONDS,
) -> Signed:
    """Verifies one signature with the key that its keyid names; raises `SignatureInvalid`.

    Covered must be @method and @target-uri, content-digest and content-type where there is a body,
    and idempotency-key where it is sent.
    """
    fields = candidate.message.fields
    required = ["@method", "@target-uri"]
    if body:
        required += ("content-digest", "content-type")
    if "idempotency-key" in fields:
        required.append("idempotency-key")
    params = candidate.input.params
    created = _check_parameters(params, key, now, max_age_seconds)
    nonce = _text(params, "nonce")
    _check_covered(candidate, required)
    if "content-digest" in fields:
        check_content_digest(fields["content-digest"], body)
    _check_signature(candidate, key)
    return Signed(
        label=candidate.label,
        keyid=candidate.keyid,
        created=created,
        nonce=nonce,
        covered=candidate.input.covered.texts,
        signature_text=candidate.signature_text,
    )


def sign_request(
    key: SigningKey,
    *,
    method: str,
    target_uri: str,
    headers: Sequence[Header],
    body: bytes,
    now: datetime,
    nonce: str | None = None,
    label: str = "sig1",
) -> dict[str, str]:
    """The headers to add to a request so that `verify_request` accepts it.

    `headers` are those already on it (content-type, idempotency-key) and are all covered.
    """
    fields = joined_fields(headers)
    names = ["@method", "@target-uri", *fields]
    added = {}
    if body:
        added["content-digest"] = fields["content-digest"] = content_digest(body)
        if "content-digest" not in names:
            names.append("content-digest")
    message = Message(fields=fields, headers=headers, method=method, target_uri=target_uri)
    nonce = secrets.token_hex(16) if nonce is None else nonce
    covered = _plain(tuple(names))
    params = f"({' '.join(covered.texts)}){_parameters(key, now)};nonce={quoted(nonce)}"
    signature = key.sign(signature_base(message, covered, params))
    return added | {
        "signature-input": f"{label}={params}",
        "signature": f"{label}={byte_sequence(signature)}",
    }


def sign_response(
    key: SigningKey,
    *,
    status: int,
    body: bytes,
    now: datetime,
    request: Signed | Candidate | None,
) -> dict[str, str]:
    """The headers to add to a response, bound to the request's signature, where there was one."""
    digest = content_digest(body)
    listed = '"@status" "content-digest"'
    lines = f'"@status": {status}\n"content-digest": {digest}\n'
    if request is not None:
        answered = f'"signature";req;key="{request.label}"'
        listed = f"{listed} {answered}"
        lines = f"{lines}{answered}: {request.signature_text}\n"
    params = f"({listed}){_parameters(key, now)}"
    base = f'{lines}"@signature-params": {params}'
    return {
        "content-digest": digest,
        "signature-input": f"{RESPONSE_LABEL}={params}",
        "signature": f"{RESPONSE_LABEL}={byte_sequence(key.sign(base.encode()))}",
    }


def verify_response(
    key: VerifyingKey,
    *,
    status: int,
    headers: Sequence[Header],
    body: bytes,
    request_headers: Sequence[Header],
    now: datetime,
    max_age_seconds: int = MAX_AGE_SECONDS,
) -> None:
    """Raises `SignatureInvalid` unless `key` signed this as the answer to that request."""
    request = Message(fields=joined_fields(request_headers), headers=request_headers)
    fields = joined_fields(headers)
    message = Message(fields=fields, headers=headers, status=status, request=request)
    candidates = [found for found in _candidates(message) if found.keyid == key.keyid]
    if not candidates:
        raise SignatureInvalid("the response is not signed by that key")
    candidate = candidates[0]
    _check_parameters(candidate.input.params, key, now, max_age_seconds)
    _check_covered(candidate, ["@status", "content-digest"])
    if not any(
        _is_request_signature(component) for component in candidate.input.covered.components
    ):
        raise SignatureInvalid("the response does not cover the request's signature")
    check_content_digest(fields["content-digest"], body)
    _check_signature(candidate, key)


def _candidates(message: Message) -> tuple[Candidate, ...]:
    fields = message.fields
    if "signature-input" not in fields or "signature" not in fields:
        raise SignatureInvalid("the message is not signed")
    signatures = parse_signatures(fields["signature"])
    inputs = parse_signature_inputs(fields["signature-input"])
    if len(inputs) > MOST_SIGNATURES:
        raise SignatureInvalid("too many signatures")
    found = []
    for label, member in inputs.items():
        keyid = member.params.get("keyid")
        if label in signatures and isinstance(keyid, str):
            signature, text = signatures[label]
            found.append(Candidate(label, keyid, signature, text, member, message))
    if not found:
        raise SignatureInvalid("no signature names its key")
    return tuple(found)


def _check_parameters(
    params: Mapping[str, Any], key: VerifyingKey, now: datetime, max_age_seconds: int
) -> int:
    if params.get("keyid") != key.keyid:
        raise SignatureInvalid("signed by another key")
    if "alg" in params and not _is_text(params["alg"], key.algorithm):
        raise SignatureInvalid("alg does not fit the key")
    if _seconds(params, "created") is None:
        raise SignatureInvalid("created is missing")
    created = params["created"]
    assert isinstance(created, int)
    seconds = now.timestamp()
    if abs(seconds - created) > max_age_seconds:
        raise SignatureInvalid("created is too far from now")
    expires = _seconds(params, "expires")
    if expires is not None and expires < seconds:
        raise SignatureInvalid("the signature has expired")
    return created


def _is_text(value: object, wanted: str) -> bool:
    # A token of the same letters would compare as equal.
    return isinstance(value, str) and value == wanted


def _seconds(params: Mapping[str, Any], name: str) -> int | None:
    value = params.get(name)
    if value is not None and type(value) is not int:
        raise SignatureInvalid(f"{name} is not a whole number of seconds")
    return value


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_PARAMETER:
        raise SignatureInvalid(f"{name} is missing or not a short text")
    return value


def _check_covered(candidate: Candidate, required: Sequence[str]) -> None:
    for name in required:
        if name not in candidate.input.covered.whole:
            raise SignatureInvalid(f"{name} is not covered")


def _check_signature(candidate: Candidate, key: VerifyingKey) -> None:
    signed = candidate.input
    base = signature_base(candidate.message, signed.covered, signed.text)
    if not key.verify(candidate.signature, base):
        raise SignatureInvalid("the signature does not fit")


def _is_request_signature(component: Component) -> bool:
    return component.name == "signature" and {"req", "key"} == {
        name for name, _ in component.params
    }


def _parameters(key: SigningKey, now: datetime) -> str:
    return f";created={int(now.timestamp())};keyid={quoted(key.keyid)}"


@lru_cache(maxsize=512)
def _plain(names: tuple[str, ...]) -> Covered:
    return covering([Component(name=name, text=f'"{name}"') for name in names])
