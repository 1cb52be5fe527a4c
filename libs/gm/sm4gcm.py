"""Seal a field with SM4-GCM (GB/T 32907, RFC 8998): secret, and bound to what it belongs to.

The ciphertext carries its 16-byte tag at its end. On the wire (contract §5) a sealed field is
{key_id, nonce, ciphertext}, the last two in base64.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM

KEY_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16


class NotAuthentic(Exception):
    """A sealed field is malformed, altered, sealed by another key, or belongs elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm4Key:
    """A 16-byte key and the name it is known by on both sides."""

    key_id: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"an SM4 key has {KEY_BYTES} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What `seal` made: key's name, 12-byte nonce, ciphertext and tag."""

    key_id: str
    nonce: bytes
    ciphertext: bytes

    def to_wire(self) -> dict[str, str]:
        """{key_id, nonce, ciphertext}, base64."""
        return {
            "key_id": self.key_id,
            "nonce": base64.b64encode(self.nonce).decode(),
            "ciphertext": base64.b64encode(self.ciphertext).decode(),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, str]) -> "Sealed":
        """Reads what `to_wire` wrote. Raises `NotAuthentic` where it cannot be one."""
        try:
            nonce = base64.b64decode(wire["nonce"], validate=True)
            ciphertext = base64.b64decode(wire["ciphertext"], validate=True)
            return cls(key_id=wire["key_id"], nonce=nonce, ciphertext=ciphertext)
        except (KeyError, TypeError, ValueError, binascii.Error) as why:
            raise NotAuthentic("not a sealed field") from why


def seal(key: Sm4Key, plaintext: bytes, *, aad: bytes) -> Sealed:
    """Encrypts under a fresh random nonce and binds the result to `aad`."""
    nonce = os.urandom(NONCE_BYTES)
    return Sealed(
        key_id=key.key_id, nonce=nonce, ciphertext=_encrypt(key.key, nonce, plaintext, aad)
    )


def open_sealed(key: Sm4Key, sealed: Sealed, *, aad: bytes) -> bytes:
    """The plaintext, or `NotAuthentic`: nothing is told of what failed."""
    if sealed.key_id != key.key_id:
        raise NotAuthentic("sealed under another key")
    if len(sealed.nonce) != NONCE_BYTES or len(sealed.ciphertext) < TAG_BYTES:
        raise NotAuthentic("not a sealed field")
    body, tag = sealed.ciphertext[:-TAG_BYTES], sealed.ciphertext[-TAG_BYTES:]
    decryptor = Cipher(SM4(key.key), GCM(sealed.nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(aad)
    try:
        return decryptor.update(body) + decryptor.finalize()
    except InvalidTag as why:
        raise NotAuthentic("altered, or it belongs elsewhere") from why


def _encrypt(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    encryptor = Cipher(SM4(key), GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(aad)
    return encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag
