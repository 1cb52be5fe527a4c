"""What a session stands on: HMAC with SM3, X25519 and HKDF, against computations of the library's
own primitives and of the standard library.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SM3, Hash
from hypothesis import given
from hypothesis import strategies as st

from contracts.refusals import PresenceExpired
from gateway.domain.presence import PresenceSeal, ProvedPresence
from gateway.domain.sessions import SealBroken, SealedSession, SessionSeal
from gm.fields import SignatureInvalid
from gm.key_agreement import Half, LowOrderPoint
from gm.message_signatures import parse_request, sign_request, verify_request
from gm.signing import (
    KeyUnusable,
    algorithm_named,
    generate_key_pair,
    public_key_of,
    signing_key,
    verifying_key,
)
from tests.support.signed import BASIC, BODY, NOW, PUBLIC, URI

KEYS = st.binary(min_size=32, max_size=32)


def sm3(message: bytes) -> bytes:
    digest = Hash(SM3())
    digest.update(message)
    return digest.finalize()


def by_hand(key: bytes, message: bytes) -> bytes:
    """HMAC as RFC 2104 writes it, SM3's block being 64 bytes."""
    block = key.ljust(64, b"\0")
    inner = sm3(bytes(each ^ 0x36 for each in block) + message)
    return sm3(bytes(each ^ 0x5C for each in block) + inner)


@given(key=KEYS, messages=st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_hmac_sm3_is_what_rfc_2104_says(key: bytes, messages: list[bytes]) -> None:
    sign = signing_key("k", "hmac-sm3", key).sign
    verify = verifying_key("k", "hmac-sm3", key).verify
    for message in messages:
        mac = sign(message)
        assert mac == by_hand(key, message) == hmac.digest(key, message, "sm3")
        assert verify(mac, message)
        for other in (mac[:-1], mac + b"\0", b"", bytes([mac[0] ^ 1]) + mac[1:]):
            assert not verify(other, message)
        assert not verify(mac, message + b"x")


@pytest.mark.parametrize("secret", [b"", bytes(16), bytes(31), bytes(33), bytes(64)])
def test_a_secret_has_32_bytes(secret: bytes) -> None:
    for made in (signing_key, verifying_key):
        with pytest.raises(KeyUnusable, match="32 bytes"):
            made("k", "hmac-sm3", secret)


def test_only_a_shared_secret_is_shared() -> None:
    pair = generate_key_pair("hmac-sm3")
    assert pair.private == pair.public == public_key_of("hmac-sm3", pair.private)
    assert algorithm_named("hmac-sm3").is_shared
    assert not algorithm_named("ed25519").is_shared


def test_a_request_is_signed_and_verified_by_mac() -> None:
    secret = generate_key_pair("hmac-sm3").private
    key = signing_key(PUBLIC.keyid, "hmac-sm3", secret)
    added = sign_request(key, method="POST", target_uri=URI, headers=BASIC, body=BODY, now=NOW)
    headers = [*BASIC, *added.items()]
    [candidate] = parse_request(method="POST", target_uri=URI, headers=headers)
    known = verifying_key(PUBLIC.keyid, "hmac-sm3", secret)
    assert verify_request(candidate, known, body=BODY, now=NOW).keyid == PUBLIC.keyid
    for other in (PUBLIC, verifying_key(PUBLIC.keyid, "hmac-sm3", bytes(32))):
        with pytest.raises(SignatureInvalid, match="does not fit"):
            verify_request(candidate, other, body=BODY, now=NOW)


def hkdf(secret: bytes, info: bytes) -> bytes:
    """RFC 5869 without salt, one block long."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def test_hkdf_by_hand_gives_the_vector_of_rfc_5869() -> None:
    # Appendix A.3: neither salt nor info.
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert hkdf(b"\x0b" * 22, b"").hex() == expected
    assert hashlib.sha256().block_size == 64


@given(info=st.binary(max_size=80))
def test_both_sides_derive_the_key_of_contract(info: bytes) -> None:
    ours, theirs = Half(), X25519PrivateKey.generate()
    key = ours.agree(theirs.public_key().public_bytes_raw(), info=info)
    shared = theirs.exchange(X25519PublicKey.from_public_bytes(ours.public))
    assert key == hkdf(shared, info)
    assert key != ours.agree(theirs.public_key().public_bytes_raw(), info=info + b"x")


P = 2**255 - 19


@pytest.mark.parametrize("point", [0, 1, P - 1, P, P + 1, 2**255, 2**255 + 1])
def test_a_point_of_low_order_is_refused_by_name(point: int) -> None:
    with pytest.raises(LowOrderPoint):
        Half().agree(point.to_bytes(32, "little"), info=b"")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_half_has_32_bytes(length: int) -> None:
    with pytest.raises(KeyUnusable, match="32 bytes"):
        Half().agree(bytes([9] * length), info=b"")


KEY = Fernet.generate_key().decode()


def sealed(key_id: str, text: str) -> SealedSession:
    return SealedSession(key_id=key_id, begun_by="K-1", sealed_key=text)


@given(key=KEYS)
def test_a_sealed_session_opens_by_any_key_that_is_still_ours(key: bytes) -> None:
    text = SessionSeal([KEY]).seal("session-1", key)
    for keys in ([KEY], [Fernet.generate_key().decode(), KEY]):
        assert SessionSeal(keys).open(sealed("session-1", text)) == key
    with pytest.raises(SealBroken):
        SessionSeal([Fernet.generate_key().decode()]).open(sealed("session-1", text))


def test_what_was_sealed_for_something_else_does_not_open() -> None:
    seal, presences = SessionSeal([KEY]), PresenceSeal([KEY])
    text = seal.seal("session-1", bytes(32))
    now = datetime.now(UTC)
    proved = ProvedPresence(
        person_id=uuid4(),
        institution="H65900200001",
        psn_no="1",
        pool_admdvs="659002",
        insutype="390",
        expires_at=now + timedelta(hours=1),
    )
    fernet = Fernet(KEY)
    for told in (
        presences.seal(proved, now),
        text[:-4] + "AAAA",
        "",
        "nonsense",
        fernet.encrypt(b"gongji session session-1").decode(),
        fernet.encrypt(b"gongji session session-1x\n" + bytes(32)).decode(),
    ):
        with pytest.raises(SealBroken):
            seal.open(sealed("session-1", told))
    with pytest.raises(SealBroken):
        seal.open(sealed("session-2", text))
    with pytest.raises(PresenceExpired):
        presences.open(text, "H65900200001")
    assert base64.urlsafe_b64decode(text)
