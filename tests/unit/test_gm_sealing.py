"""SM3, SM4-GCM and the blind index, against the published vectors and against tampering."""

import hmac

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SM3, Hash
from hypothesis import given
from hypothesis import strategies as st

from gm.blind_index import blind_index
from gm.signing import KeyUnusable, generate_key_pair, signing_key, verifying_key
from gm.sm4gcm import NotAuthentic, Sealed, Sm4Key, open_sealed, seal

KEY = Sm4Key(key_id="440000-1", key=bytes.fromhex("0123456789abcdeffedcba9876543210"))


def sm3(message: bytes) -> bytes:
    digest = Hash(SM3())
    digest.update(message)
    return digest.finalize()


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_gives_the_digests_of_gb_t_32905(message: bytes, digest: str) -> None:
    assert sm3(message).hex() == digest


def test_sm4_gives_the_block_of_gb_t_32907() -> None:
    encryptor = Cipher(SM4(KEY.key), ECB()).encryptor()
    assert encryptor.update(KEY.key).hex() == "681edf34d206965e86b3e94f536e4246"


# RFC 8998, appendix A.1
VECTOR = Sealed(
    key_id=KEY.key_id,
    nonce=bytes.fromhex("00001234567800000000abcd"),
    ciphertext=bytes.fromhex(
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    ),
)
VECTOR_AAD = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
VECTOR_PLAINTEXT = b"".join(
    bytes([byte]) * 8 for byte in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA)
)


def test_sm4_gcm_opens_the_vector_of_rfc_8998() -> None:
    assert open_sealed(KEY, VECTOR, aad=VECTOR_AAD) == VECTOR_PLAINTEXT


@given(plaintext=st.binary(max_size=300), aad=st.binary(max_size=40))
def test_what_is_sealed_opens_again_also_over_the_wire(plaintext: bytes, aad: bytes) -> None:
    sealed = seal(KEY, plaintext, aad=aad)
    assert open_sealed(KEY, Sealed.from_wire(sealed.to_wire()), aad=aad) == plaintext


@given(position=st.integers(0, 79), flip=st.integers(1, 255))
def test_no_byte_of_a_sealed_field_may_change(position: int, flip: int) -> None:
    changed = bytearray(VECTOR.ciphertext)
    changed[position] ^= flip
    altered = Sealed(key_id=KEY.key_id, nonce=VECTOR.nonce, ciphertext=bytes(changed))
    with pytest.raises(NotAuthentic):
        open_sealed(KEY, altered, aad=VECTOR_AAD)


def test_a_sealed_field_belongs_to_one_person() -> None:
    sealed = seal(KEY, "张三".encode(), aad=b"psn-1")
    with pytest.raises(NotAuthentic):
        open_sealed(KEY, sealed, aad=b"psn-2")


def test_a_nonce_is_never_used_twice() -> None:
    assert len({seal(KEY, b"x", aad=b"").nonce for _ in range(500)}) == 500


def test_another_key_opens_nothing() -> None:
    other = Sm4Key(key_id=KEY.key_id, key=bytes(16))
    renamed = Sm4Key(key_id="110000-1", key=KEY.key)
    for key in (other, renamed):
        with pytest.raises(NotAuthentic):
            open_sealed(key, VECTOR, aad=VECTOR_AAD)


@pytest.mark.parametrize(
    "wire",
    [
        {},
        {"key_id": "440000-1", "nonce": "AAAA"},
        {"key_id": "440000-1", "nonce": "$", "ciphertext": "AAAA"},
        {"key_id": "440000-1", "nonce": "AAAA", "ciphertext": "AAA"},
        {"key_id": "440000-1", "nonce": "AAAA", "ciphertext": "AAAA"},
        {"key_id": "440000-1", "nonce": "AAAAAAAAAAAAAAAA", "ciphertext": "AAAA"},
        {"key_id": "440000-1", "nonce": 1, "ciphertext": "AAAA"},
    ],
)
def test_what_is_no_sealed_field_is_refused_by_name(wire: dict[str, str]) -> None:
    with pytest.raises(NotAuthentic):
        open_sealed(KEY, Sealed.from_wire(wire), aad=b"")


def test_a_key_is_never_shown() -> None:
    assert KEY.key.hex() not in repr(KEY)
    assert repr(KEY.key) not in repr(KEY)


def test_a_key_has_its_length() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Sm4Key(key_id="x", key=bytes(15))
    with pytest.raises(ValueError, match="32 bytes"):
        blind_index(bytes(16), "01", "x")


def test_the_blind_index_is_an_hmac_over_sm3() -> None:
    key = bytes(range(32))
    message = b"\x00\x00\x00\x0201\x00\x00\x00\x06A12345"
    assert blind_index(key, "01", "A12345") == hmac.new(key, message, "sm3").digest()


@given(first=st.lists(st.text(max_size=8), max_size=4), second=st.lists(st.text(max_size=8)))
def test_the_blind_index_tells_any_two_inputs_apart(first: list[str], second: list[str]) -> None:
    key = bytes(range(32))
    assert (blind_index(key, *first) == blind_index(key, *second)) == (first == second)


def test_a_key_of_another_algorithm_is_refused() -> None:
    pair = generate_key_pair("ed25519")
    with pytest.raises(KeyUnusable, match="not known"):
        signing_key("k", "rsa", pair.private)
    with pytest.raises(KeyUnusable, match="SPKI"):
        verifying_key("k", "ed25519", pair.private)
    with pytest.raises(KeyUnusable, match="PKCS#8"):
        signing_key("k", "ed25519", pair.public)
    x25519 = (
        b"-----BEGIN PUBLIC KEY-----\n"
        b"MCowBQYDK2VuAyEAhSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n"
        b"-----END PUBLIC KEY-----\n"
    )
    with pytest.raises(KeyUnusable, match="Ed25519"):
        verifying_key("k", "ed25519", x25519)
