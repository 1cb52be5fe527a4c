"""What the sandbox reads from its environment, once."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from contracts.vocabulary import PROVINCES
from kit.settings import ServiceSettings


class SandboxSettings(ServiceSettings):
    """`empty_provinces` (comma separated) are left for somebody else to play.

    `token_issuer` and `token_audience` are what the gateway expects in a token. `world_file` lists
    the institutions, `province_keys_file` the provinces' SM4 keys, `signing_key_file` is a PKCS#8
    PEM Ed25519 key. A province that is warned deposits `prefund_first_fen` at first, and later so
    much that it has `prefund_times` what is used: nobody has told us how much it is (R16).
    """

    gateway_url: str = "http://127.0.0.1:8080"
    token_issuer: str = "http://127.0.0.1:8090"
    token_audience: str = "gongji"
    province_keys_file: Path
    world_file: Path
    signing_key_file: Path
    empty_provinces: str = ""
    known_within_seconds: float = 15.0
    prefund_first_fen: int = Field(default=1_000_000, gt=0)
    prefund_times: int = Field(default=2, gt=1)

    @property
    def played(self) -> tuple[str, ...]:
        """The provinces that this sandbox plays."""
        left = {name.strip() for name in self.empty_provinces.split(",") if name.strip()}
        unknown = left - set(PROVINCES)
        if unknown:
            raise ValueError(f"EMPTY_PROVINCES names no provinces: {sorted(unknown)}")
        return tuple(province for province in PROVINCES if province not in left)
