"""Keys that sign and keys that verify, by the name of their algorithm.

An algorithm is one entry of `ALGORITHMS`. Its name is the one that RFC 9421 registers, or for those
that it does not know, the one of our contract, so that `alg` in a signature compares by name.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hmac import compare_digest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SM3
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from nacl.bindings import crypto_sign, crypto_sign_open
from nacl.exceptions import BadSignatureError

from gm import sm2

Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes], bool]

SECRET_BYTES = 32
"""Of a key that both sides hold."""


SIGNATURE_BYTES = 64


class KeyUnusable(ValueError):
    """The key is not what its algorithm needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """Key material as its algorithm stores it: PKCS#8 and SPKI PEM for ed25519 and sm2-sm3.

    Of a shared secret both halves are the same.
    """

    private: bytes
    public: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """How keys of one kind are made and read.

    `is_shared`: whoever verifies can sign as well, so that such a key is never made public.
    """

    generate: Callable[[], KeyPair]
    public_of: Callable[[bytes], bytes]
    signer: Callable[[bytes], Sign]
    verifier: Callable[[bytes], Verify]
    is_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """`sign(message) -> signature`, under the name that verifiers know it by."""

    keyid: str
    algorithm: str
    sign: Sign


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    """`verify(signature, message) -> bool`, under the name that signers use."""

    keyid: str
    algorithm: str
    verify: Verify


def _ed25519_generate() -> KeyPair:
    private = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return KeyPair(private=private, public=_ed25519_public_of(private))


def _ed25519_private(material: bytes) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(material, password=None)
    except (ValueError, TypeError) as why:
        raise KeyUnusable("not an unencrypted PKCS#8 PEM private key") from why
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable("not an Ed25519 private key")
    return key


def _ed25519_public_of(private: bytes) -> bytes:
    public = _ed25519_private(private).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _ed25519_signer(material: bytes) -> Sign:
    private = _ed25519_private(material)
    # Keys are read by OpenSSL and used by libsodium, which takes half the time for either step.
    key = private.private_bytes_raw() + private.public_key().public_bytes_raw()

    def sign(message: bytes) -> bytes:
        return crypto_sign(message, key)[:SIGNATURE_BYTES]

    return sign


def _ed25519_verifier(material: bytes) -> Verify:
    try:
        key = load_pem_public_key(material)
    except ValueError as why:
        raise KeyUnusable("not an SPKI PEM public key") from why
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnusable("not an Ed25519 public key")
    raw = key.public_bytes_raw()

    def verify(signature: bytes, message: bytes) -> bool:
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            crypto_sign_open(signature + message, raw)
        except BadSignatureError:
            return False
        return True

    return verify


def _sm2_generate() -> KeyPair:
    private, public = sm2.new_pair()
    return KeyPair(private=private, public=public)


def _sm2_public_of(private: bytes) -> bytes:
    try:
        return sm2.public_of(private)
    except sm2.Sm2KeyInvalid as why:
        raise KeyUnusable(str(why)) from why


def _sm2_signer(material: bytes) -> Sign:
    try:
        number, point = sm2.read_private(material)
    except sm2.Sm2KeyInvalid as why:
        raise KeyUnusable(str(why)) from why
    return partial(sm2.sign, number, point)


def _sm2_verifier(material: bytes) -> Verify:
    try:
        point = sm2.read_public(material)
    except sm2.Sm2KeyInvalid as why:
        raise KeyUnusable(str(why)) from why
    return partial(sm2.verifies, point)


def _secret(material: bytes) -> bytes:
    if len(material) != SECRET_BYTES:
        raise KeyUnusable(f"a shared secret has {SECRET_BYTES} bytes")
    return material


def _hmac_sm3_generate() -> KeyPair:
    secret = os.urandom(SECRET_BYTES)
    return KeyPair(private=secret, public=secret)


def _hmac_sm3_signer(material: bytes) -> Sign:
    # A copy of the keyed state costs half of what keying it again does.
    keyed = HMAC(_secret(material), SM3())

    def sign(message: bytes) -> bytes:
        mac = keyed.copy()
        mac.update(message)
        return mac.finalize()

    return sign


def _hmac_sm3_verifier(material: bytes) -> Verify:
    sign = _hmac_sm3_signer(material)

    def verify(signature: bytes, message: bytes) -> bool:
        return compare_digest(sign(message), signature)

    return verify


ALGORITHMS: Mapping[str, Algorithm] = {
    "ed25519": Algorithm(
        generate=_ed25519_generate,
        public_of=_ed25519_public_of,
        signer=_ed25519_signer,
        verifier=_ed25519_verifier,
    ),
    "sm2-sm3": Algorithm(
        generate=_sm2_generate,
        public_of=_sm2_public_of,
        signer=_sm2_signer,
        verifier=_sm2_verifier,
    ),
    "hmac-sm3": Algorithm(
        generate=_hmac_sm3_generate,
        public_of=_secret,
        signer=_hmac_sm3_signer,
        verifier=_hmac_sm3_verifier,
        is_shared=True,
    ),
}


def algorithm_named(name: str) -> Algorithm:
    """The algorithm of that name, or `KeyUnusable`."""
    try:
        return ALGORITHMS[name]
    except KeyError:
        raise KeyUnusable(f"algorithm {name} is not known") from None


def generate_key_pair(algorithm: str) -> KeyPair:
    """A fresh pair of keys for `algorithm`."""
    return algorithm_named(algorithm).generate()


def public_key_of(algorithm: str, private: bytes) -> bytes:
    """The public half of a private key, both as the algorithm stores them."""
    return algorithm_named(algorithm).public_of(private)


def signing_key(keyid: str, algorithm: str, private: bytes) -> SigningKey:
    """A key that signs; `private` as the algorithm stores it. Raises `KeyUnusable`."""
    sign = algorithm_named(algorithm).signer(private)
    return SigningKey(keyid=keyid, algorithm=algorithm, sign=sign)


def verifying_key(keyid: str, algorithm: str, public: bytes) -> VerifyingKey:
    """A key that verifies; `public` as the algorithm stores it. Raises `KeyUnusable`."""
    verify = algorithm_named(algorithm).verifier(public)
    return VerifyingKey(keyid=keyid, algorithm=algorithm, verify=verify)
