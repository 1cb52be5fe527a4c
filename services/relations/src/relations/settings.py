"""What relations reads from its environment: beyond the usual, the keys of identities."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Keys are hex: SM4 has 16 bytes, the blind index 32.

    PROVINCE_KEYS_FILE is JSON: province → {key_id, sm4_key_hex}, for what provinces seal.
    """

    identity_key_id: str = "1"
    identity_sm4_key: SecretStr
    identity_index_key: SecretStr
    province_keys_file: Path
    sweep_every_seconds: float = Field(default=1.0, gt=0)
