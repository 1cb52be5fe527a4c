"""SM2 signatures over SM3, held against the standard's own example and against other encodings."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm import sm2
from gm.fields import SignatureInvalid
from gm.message_signatures import (
    parse_request,
    sign_request,
    sign_response,
    verify_request,
    verify_response,
)
from gm.signing import (
    KeyUnusable,
    generate_key_pair,
    public_key_of,
    signing_key,
    verifying_key,
)
from tests.support.signed import BASIC, BODY, NOW, URI

# GM/T 0003.5-2012, the example of a signature on the recommended curve (GB/T 32918.5, annex A).
NUMBER = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"
POINT = (
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
MESSAGE = b"message digest"
SIGNATURE = (
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)

# Of a made-up key, as OpenSSL 3.0 wrote it.
PRIVATE_PEM = b"""-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBG0wawIBAQQgIYQXQQ7o5+E6Rk++
+/gXffBMptYPoee5gmAClMTa5LihRANCAASTLnxmJQ93BiuA4nOtxg6hS6WVHa+G
ne1zIb9jhT5359R3cB+D0+3ulqTQCF2GMu21x7TlGGoRljRXal7k/rKn
-----END PRIVATE KEY-----
"""
PUBLIC_PEM = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAEky58ZiUPdwYrgOJzrcYOoUullR2v
hp3tcyG/Y4U+d+fUd3Afg9Pt7pak0AhdhjLttce05RhqEZY0V2pe5P6ypw==
-----END PUBLIC KEY-----
"""
KEY_ID = "H65900200002-1"


def test_the_standards_own_signature_verifies() -> None:
    point, signature = bytes.fromhex(POINT), bytes.fromhex(SIGNATURE)
    assert sm2.verifies(point, signature, MESSAGE)
    for n in range(len(signature)):
        wrong = signature[:n] + bytes([signature[n] ^ 1]) + signature[n + 1 :]
        assert not sm2.verifies(point, wrong, MESSAGE), n
    assert not sm2.verifies(point, signature, MESSAGE + b"!")


def test_what_the_standards_key_signs_verifies() -> None:
    number, point = bytes.fromhex(NUMBER), bytes.fromhex(POINT)
    signature = sm2.sign(number, point, MESSAGE)
    assert len(signature) == sm2.SIGNATURE_BYTES
    assert signature != sm2.sign(number, point, MESSAGE), "each with a random number of its own"
    assert sm2.verifies(point, signature, MESSAGE)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(64),
        bytes.fromhex(SIGNATURE)[:63],
        bytes.fromhex(SIGNATURE) + b"\0",
        bytes.fromhex(SIGNATURE)[32:] + bytes.fromhex(SIGNATURE)[:32],
        b"\xff" * 64,
        bytes(32) + bytes.fromhex(SIGNATURE)[32:],
        bytes.fromhex(SIGNATURE)[:32] + sm2.ORDER.to_bytes(32),
    ],
)
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    assert not sm2.verifies(bytes.fromhex(POINT), signature, MESSAGE)


@given(message=st.binary(max_size=300))
@settings(max_examples=20, deadline=None)
def test_keys_of_openssl_sign_and_verify(message: bytes) -> None:
    signature = signing_key(KEY_ID, "sm2-sm3", PRIVATE_PEM).sign(message)
    key = verifying_key(KEY_ID, "sm2-sm3", PUBLIC_PEM)
    assert key.verify(signature, message)
    assert not key.verify(signature, message + b"x")


def test_our_keys_are_written_as_openssl_writes_them() -> None:
    assert public_key_of("sm2-sm3", PRIVATE_PEM) == PUBLIC_PEM
    made = generate_key_pair("sm2-sm3")
    assert public_key_of("sm2-sm3", made.private) == made.public
    assert [len(each.splitlines()) for each in (made.private, made.public)] == [5, 4]
    assert made != generate_key_pair("sm2-sm3")


def altered(pem: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The same PEM around other bytes."""
    first, *lines, last = pem.splitlines()
    body = base64.encodebytes(change(base64.b64decode(b"".join(lines))))
    return b"\n".join([first, body.strip(), last, b""])


P256 = bytes.fromhex("2a8648ce3d030107")
SM2 = bytes.fromhex("2a811ccf5501822d")
WRONG_PUBLIC = {
    "nothing": b"",
    "no PEM": b"abc",
    "bytes": b"\xff\xfe",
    "private": PRIVATE_PEM,
    "cut": PUBLIC_PEM[:80],
    "another curve": altered(PUBLIC_PEM, lambda der: der.replace(SM2, P256)),
    "off the curve": altered(PUBLIC_PEM, lambda der: der[:-1] + bytes([der[-1] ^ 1])),
    "zeros": altered(PUBLIC_PEM, lambda der: der[:-64] + bytes(64)),
    "longer": altered(PUBLIC_PEM, lambda der: der + b"\0"),
    "two": PUBLIC_PEM + PUBLIC_PEM,
    "ed25519": generate_key_pair("ed25519").public,
}
WRONG_PRIVATE = {
    "nothing": b"",
    "public": PUBLIC_PEM,
    "cut": PRIVATE_PEM[:100],
    "another curve": altered(PRIVATE_PEM, lambda der: der.replace(SM2, P256)),
    "another's half": altered(PRIVATE_PEM, lambda der: der[:-64] + bytes.fromhex(POINT)),
    "ed25519": generate_key_pair("ed25519").private,
}


@pytest.mark.parametrize("pem", WRONG_PUBLIC.values(), ids=WRONG_PUBLIC.keys())
def test_what_is_no_public_key_is_unusable(pem: bytes) -> None:
    with pytest.raises(KeyUnusable):
        verifying_key(KEY_ID, "sm2-sm3", pem)


@pytest.mark.parametrize("pem", WRONG_PRIVATE.values(), ids=WRONG_PRIVATE.keys())
def test_what_is_no_private_key_is_unusable(pem: bytes) -> None:
    with pytest.raises(KeyUnusable):
        signing_key(KEY_ID, "sm2-sm3", pem)


def test_a_request_is_signed() -> None:
    key = signing_key(KEY_ID, "sm2-sm3", PRIVATE_PEM)
    added = sign_request(
        key, method="POST", target_uri=URI, headers=BASIC, body=BODY, now=NOW, nonce="n"
    )
    headers = [(name.encode(), text.encode()) for name, text in [*BASIC, *added.items()]]
    [candidate] = parse_request(method="POST", target_uri=URI, headers=headers)
    public = verifying_key(KEY_ID, "sm2-sm3", PUBLIC_PEM)
    assert verify_request(candidate, public, body=BODY, now=NOW).keyid == KEY_ID
    with pytest.raises(SignatureInvalid):
        verify_request(candidate, public, body=BODY + b" ", now=NOW)


def test_an_answer_is_signed_and_bound_to_its_request() -> None:
    key = signing_key(KEY_ID, "sm2-sm3", PRIVATE_PEM)
    request = [
        *BASIC,
        *sign_request(
            key, method="POST", target_uri=URI, headers=BASIC, body=BODY, now=NOW, nonce="n"
        ).items(),
    ]
    raw = [(name.encode(), text.encode()) for name, text in request]
    [candidate] = parse_request(method="POST", target_uri=URI, headers=raw)
    answer = sign_response(key, status=201, body=b"{}", now=NOW, request=candidate)
    public = verifying_key(KEY_ID, "sm2-sm3", PUBLIC_PEM)
    told = [(name.encode(), text.encode()) for name, text in answer.items()]
    verify_response(public, status=201, headers=told, body=b"{}", request_headers=raw, now=NOW)
    for status, body in ((200, b"{}"), (201, b"[]")):
        with pytest.raises(SignatureInvalid):
            verify_response(
                public, status=status, headers=told, body=body, request_headers=raw, now=NOW
            )
