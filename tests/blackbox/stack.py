"""Where the stack under test is, as `var/stack.json` tells it (contract §1)."""

from __future__ import annotations

import base64
import binascii
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionKey:
    """An institution as the stack's file lists it, with its own private key."""

    code: str
    name: str
    kind: str
    mdtrtarea_admvs: str
    key_id: str
    private_key: Ed25519PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    path: Path
    told: dict[str, Any] = field(repr=False)

    def url(self, service: str) -> str:
        return str(self.told[service]).rstrip("/")

    @property
    def bootstrap(self) -> list[str]:
        return str(self.told["kafka"]).split(",")

    @property
    def topic_prefix(self) -> str:
        return str(self.told.get("topic_prefix") or os.environ.get("TOPIC_PREFIX", ""))

    def gateway_key(self) -> Ed25519PublicKey:
        return public_key(str(self.told["gateway_public_key"]))

    def institution(self, kind: str) -> InstitutionKey:
        """The first ed25519 institution of a kind: the enabled one."""
        for code, told in self.told["institutions"].items():
            if told["kind"] == kind and told["algorithm"] == "ed25519":
                return self._key(code, told)
        raise AssertionError(f"the stack lists no {kind} with an ed25519 key")

    def institutions(self) -> list[InstitutionKey]:
        listed = self.told["institutions"].items()
        return [self._key(code, told) for code, told in listed if told["algorithm"] == "ed25519"]

    def _key(self, code: str, told: dict[str, Any]) -> InstitutionKey:
        key = load_pem_private_key(Path(told["private_key_file"]).read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        return InstitutionKey(
            code=code,
            name=told["name"],
            kind=told["kind"],
            mdtrtarea_admvs=told["mdtrtarea_admvs"],
            key_id=told["key_id"],
            private_key=key,
        )


def read_stack(path: Path) -> Stack:
    return Stack(path=path, told=json.loads(path.read_text(encoding="utf-8")))


def public_key(text: str) -> Ed25519PublicKey:
    """A public key as PEM, or as base64 or hex of DER or of the 32 bytes."""
    if "-----BEGIN" in text:
        key = load_pem_public_key(text.encode())
        assert isinstance(key, Ed25519PublicKey)
        return key
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        try:
            raw = base64.b64decode(text, validate=True)
        except binascii.Error:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) == 32:
        return Ed25519PublicKey.from_public_bytes(raw)
    key = load_der_public_key(raw)
    assert isinstance(key, Ed25519PublicKey)
    return key
