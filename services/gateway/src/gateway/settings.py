"""What the gateway reads from its environment, once, in main."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Addresses, keys and limits of the public door.

    PRESENCE_KEY may name several Fernet keys, separated by commas: the first seals, all open;
    sessions are sealed by them, too.
    FINGERPRINT_KEY (32 bytes in hex) must outlive every receipt; without it, it is derived from
    the last of the presence keys.
    """

    relations_url: str
    wallet_url: str
    settlement_url: str
    wallet_cells: int = Field(default=1, ge=1, le=4096)
    public_url: str
    jwks_url: str
    token_issuer: str
    token_audience: str
    ec_decoder_url: str
    response_key_file: Path
    response_key_id: str = "gateway"
    response_key_algorithm: str = "ed25519"
    presence_key: str = Field(repr=False, min_length=44)
    presence_seconds: int = Field(default=1800, ge=1)
    quote_seconds: int = Field(default=600, ge=1)
    session_seconds: int = Field(default=43_200, ge=1, le=43_200)
    most_sessions: int = Field(default=1000, ge=1)
    fingerprint_key: str | None = Field(default=None, repr=False, pattern=r"^[0-9a-f]{64}$")
    institutions_file: Path | None = None
    key_cache_seconds: float = Field(default=5.0, ge=0)
    deadline_seconds: float = Field(default=5.0, gt=0)
    neighbour_seconds: float = Field(default=4.0, gt=0)
    explain_seconds: float = Field(default=1.5, gt=0)
    most_in_flight: int = Field(default=1024, ge=64)

    def presence_keys(self) -> list[str]:
        return [key.strip() for key in self.presence_key.split(",")]

    def key_of_fingerprints(self) -> bytes:
        if self.fingerprint_key is not None:
            return bytes.fromhex(self.fingerprint_key)
        return hashlib.sha256(b"gongji fingerprint " + self.presence_keys()[-1].encode()).digest()
