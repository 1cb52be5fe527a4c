"""SM2 signatures over SM3 (GB/T 32918.2); keys are PEM, PKCS#8 and SPKI, as OpenSSL writes them.

A signature is r and s, 32 bytes each, as RFC 9421 has it of other curves; the signer's name that
goes into the digest is the one that GM/T 0009 names where nothing else was agreed.
"""

import base64
import binascii
import re
from typing import Annotated

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.x509 import ObjectIdentifier
from gmssl_pyx import (
    GmsslInnerError,
    normalize_sm2_public_key,
    sm2_key_generate,
    sm2_sign,
    sm2_verify,
)

SIGNER = b"1234567812345678"
NUMBER_BYTES = 32
SIGNATURE_BYTES = 2 * NUMBER_BYTES

EC_PUBLIC_KEY = ObjectIdentifier("1.2.840.10045.2.1")
SM2_CURVE = ObjectIdentifier("1.2.156.10197.1.301")
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
UNCOMPRESSED = b"\x04"

_PEM = re.compile(r"-----BEGIN (?P<kind>[A-Z ]+)-----(?P<text>[^-]+)-----END (?P=kind)-----\s*")


class Sm2KeyInvalid(ValueError):
    """Not a key of this curve, or not written as it should be."""


@asn1.sequence
class _Algorithm:
    algorithm: ObjectIdentifier
    curve: ObjectIdentifier


@asn1.sequence
class _PublicKeyInfo:
    algorithm: _Algorithm
    key: asn1.BitString


@asn1.sequence
class _PrivateKeyInfo:
    version: int
    algorithm: _Algorithm
    key: bytes


@asn1.sequence
class _EcPrivateKey:
    version: int
    key: bytes
    curve: Annotated[ObjectIdentifier | None, asn1.Explicit(0)]
    public: Annotated[asn1.BitString | None, asn1.Explicit(1)]


_ALGORITHM = _Algorithm(algorithm=EC_PUBLIC_KEY, curve=SM2_CURVE)


def new_pair() -> tuple[bytes, bytes]:
    """A fresh private key and its public half, both as PEM."""
    point, number = sm2_key_generate()
    private = _EcPrivateKey(version=1, key=number, curve=None, public=_bits(point))
    whole = _PrivateKeyInfo(version=0, algorithm=_ALGORITHM, key=asn1.encode_der(private))
    return _as_pem("PRIVATE KEY", asn1.encode_der(whole)), _public_pem(point)


def read_private(pem: bytes) -> tuple[bytes, bytes]:
    """The number and the public point (64 bytes) of a private key. Raises Sm2KeyInvalid."""
    try:
        whole = asn1.decode_der(_PrivateKeyInfo, _from_pem("PRIVATE KEY", pem))
        _check(whole.algorithm)
        key = asn1.decode_der(_EcPrivateKey, whole.key)
    except ValueError as why:
        raise Sm2KeyInvalid("not an unencrypted PKCS#8 PEM private key of SM2") from why
    if len(key.key) != NUMBER_BYTES or not 0 < int.from_bytes(key.key) < ORDER - 1:
        raise Sm2KeyInvalid("the private number is out of range")
    if key.public is None:
        raise Sm2KeyInvalid("the private key does not name its public half")
    point = _point(key.public)
    if not verifies(point, sign(key.key, point, b"?"), b"?"):
        raise Sm2KeyInvalid("the two halves of the key do not fit")
    return key.key, point


def read_public(pem: bytes) -> bytes:
    """The point (64 bytes) of a public key. Raises Sm2KeyInvalid."""
    try:
        whole = asn1.decode_der(_PublicKeyInfo, _from_pem("PUBLIC KEY", pem))
        _check(whole.algorithm)
    except ValueError as why:
        raise Sm2KeyInvalid("not an SPKI PEM public key of SM2") from why
    return _point(whole.key)


def public_of(private: bytes) -> bytes:
    """The public half of a private key, both as PEM. Raises Sm2KeyInvalid."""
    return _public_pem(read_private(private)[1])


def sign(number: bytes, point: bytes, message: bytes) -> bytes:
    """r and s, 32 bytes each."""
    r, s = decode_dss_signature(sm2_sign(number, point, message, signer_id=SIGNER))
    return r.to_bytes(NUMBER_BYTES) + s.to_bytes(NUMBER_BYTES)


def verifies(point: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the holder of this point's number signed the message."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    r = int.from_bytes(signature[:NUMBER_BYTES])
    s = int.from_bytes(signature[NUMBER_BYTES:])
    if not (0 < r < ORDER and 0 < s < ORDER):
        return False
    return bool(sm2_verify(point, message, encode_dss_signature(r, s), signer_id=SIGNER))


def _check(algorithm: _Algorithm) -> None:
    if (algorithm.algorithm, algorithm.curve) != (EC_PUBLIC_KEY, SM2_CURVE):
        raise Sm2KeyInvalid("a key of another kind")


def _point(bits: asn1.BitString) -> bytes:
    try:
        return bytes(normalize_sm2_public_key(bits.as_bytes()))
    except GmsslInnerError as why:
        raise Sm2KeyInvalid("the public half is no point of the curve") from why


def _bits(point: bytes) -> asn1.BitString:
    return asn1.BitString(UNCOMPRESSED + point, 0)


def _public_pem(point: bytes) -> bytes:
    whole = _PublicKeyInfo(algorithm=_ALGORITHM, key=_bits(point))
    return _as_pem("PUBLIC KEY", asn1.encode_der(whole))


def _as_pem(kind: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = [text[n : n + 64] for n in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""]).encode()


def _from_pem(kind: str, pem: bytes) -> bytes:
    found = _PEM.fullmatch(pem.decode("ascii").lstrip())
    if found is None or found["kind"] != kind:
        raise Sm2KeyInvalid(f"not a PEM of a {kind}")
    try:
        return base64.b64decode("".join(found["text"].split()), validate=True)
    except binascii.Error as why:
        raise Sm2KeyInvalid("the PEM is malformed") from why
