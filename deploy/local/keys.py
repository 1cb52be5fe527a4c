"""Keys of a local stack: made once, kept under var/keys, readable by their owner only."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

# The 31 provinces of the mainland and the Corps (兵团), each with its own core.
PROVINCES = [
    f"{number}0000"
    for first, count in ((11, 5), (21, 3), (31, 7), (41, 6), (50, 5), (61, 6))
    for number in range(first, first + count)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Files where a service is given a file, values where it is given a value."""

    gateway_response: Path
    sandbox_signing: Path
    provinces: Path
    presence: str
    identity_sm4: str
    identity_index: str
    service_token: str

    @classmethod
    def ensure(cls, folder: Path) -> Keys:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(
            gateway_response=kept(folder / "gateway-response.pem", new_ed25519),
            sandbox_signing=kept(folder / "sandbox-signing.pem", new_ed25519),
            provinces=kept(folder / "provinces.json", new_province_keys),
            presence=kept(folder / "presence.key", lambda: Fernet.generate_key().decode())
            .read_text()
            .strip(),
            identity_sm4=kept(folder / "identity-sm4.key", lambda: secrets.token_hex(16))
            .read_text()
            .strip(),
            identity_index=kept(folder / "identity-index.key", lambda: secrets.token_hex(32))
            .read_text()
            .strip(),
            service_token=kept(folder / "service.token", lambda: secrets.token_urlsafe(32))
            .read_text()
            .strip(),
        )


def kept(file: Path, make: Callable[[], str]) -> Path:
    """The file as it is, or as made now. Written whole: half a key is worse than none."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = file.with_name(f".{file.name}")
        scratch.unlink(missing_ok=True)
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(make())
        scratch.replace(file)
    return file


def new_ed25519() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def new_province_keys() -> str:
    keys = {
        province: {"key_id": f"{province}-1", "sm4_key_hex": secrets.token_hex(16)}
        for province in PROVINCES
    }
    return json.dumps(keys, indent=2)


def public_pem(private_key: Path) -> str:
    """SubjectPublicKeyInfo of a private key's file."""
    key = load_pem_private_key(private_key.read_bytes(), password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
