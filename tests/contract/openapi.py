"""OpenAPI of every service, from the service itself: `python -m tests.contract.openapi`.

Prints path → text as JSON. Services are assembled as they are to run, with made-up keys and
pools that were never opened: a description needs neither database nor broker.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import asyncpg
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kit.health import Health
from kit.runtime import Runtime

SERVICES = ("gateway", "relations", "wallet", "settlement", "sandbox")
FOLDER = "libs/contracts/schemas/openapi"
URLS = (
    "RELATIONS_URL",
    "WALLET_URL",
    "SETTLEMENT_URL",
    "PUBLIC_URL",
    "GATEWAY_URL",
    "JWKS_URL",
    "EC_DECODER_URL",
)
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def environment(folder: Path) -> dict[str, str]:
    """Settings that any service is content with; nothing of them is ever reached."""
    key = folder / "key.pem"
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key.write_bytes(pem)
    (folder / "provinces.json").write_text("{}")
    (folder / "world.json").write_text('{"institutions": [], "provinces": []}')
    here = "http://127.0.0.1:1"
    return {
        "DATABASE_URL": NOWHERE,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "SERVICE_TOKEN": "made-up-for-a-description",
        "IDENTITY_SM4_KEY": "00" * 16,
        "IDENTITY_INDEX_KEY": "00" * 32,
        "PROVINCE_KEYS_FILE": str(folder / "provinces.json"),
        "WORLD_FILE": str(folder / "world.json"),
        "SIGNING_KEY_FILE": str(key),
        "RESPONSE_KEY_FILE": str(key),
        "PRESENCE_KEY": Fernet.generate_key().decode(),
        "TOKEN_ISSUER": here,
        "TOKEN_AUDIENCE": "gongji",
        "DATA_DIR": str(folder),
        **dict.fromkeys(URLS, here),
    }


def unopened(*_: object, **__: object) -> Any:
    """A pool that connects to nothing until it is used, which it never is."""
    return asyncpg.create_pool(NOWHERE, min_size=1, max_size=1)


async def _never_opened(*_: object, **__: object) -> Any:
    return unopened()


async def described(name: str) -> dict[str, Any]:
    """The OpenAPI document of one service."""
    main = import_module(f"{name}.main")
    with patch.object(main, "open_pool", _never_opened, create=True):
        runtime = Runtime(main.SERVICE, main.SERVICE.settings(), Health(), [unopened()])
        parts = await main.SERVICE.assemble(runtime)
    document: dict[str, Any] = parts.app.openapi()
    # Once through JSON, so that it is what is served: no enums, no tuples.
    return dict(json.loads(json.dumps(document)))


async def files() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment(Path(folder)))
        documents = {name: await described(name) for name in SERVICES}
    return {
        f"{FOLDER}/{name}.json": json.dumps(told, indent=2, ensure_ascii=False) + "\n"
        for name, told in documents.items()
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(files())))
