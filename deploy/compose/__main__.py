"""`python -m deploy.compose`: the keys of a stack in containers, made once, under var/compose.

    env                   what compose puts into the containers' environment
    keys, *.json          what it mounts into them

The containers' user is not ours and must read what is mounted; the folder keeps others out.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import typer

from deploy.local.checkout import ROOT, Checkout
from deploy.local.keys import Keys, kept
from deploy.local.world import write_world

FOLDER = ROOT / "var" / "compose"


def make(folder: Path) -> Path:
    """The keys, and the file for `--env-file`. What is there already stays as it is."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    checkout = Checkout(var=folder)
    keys = Keys.ensure(checkout.keys)
    write_world(checkout)
    mounted = (keys.gateway_response, keys.sandbox_signing, keys.provinces)
    for file in (*mounted, checkout.institutions_file, checkout.world_file):
        file.chmod(0o644)
    password = kept(checkout.keys / "database.password", lambda: secrets.token_hex(24)).read_text()
    environment = {
        "DATABASE_PASSWORD": password.strip(),
        "SERVICE_TOKEN": keys.service_token,
        "PRESENCE_KEY": keys.presence,
        "IDENTITY_SM4_KEY": keys.identity_sm4,
        "IDENTITY_INDEX_KEY": keys.identity_index,
    }
    lines = "".join(f"{name}={value}\n" for name, value in environment.items())
    return kept(folder / "env", lambda: lines)


if __name__ == "__main__":
    typer.echo(make(FOLDER))
