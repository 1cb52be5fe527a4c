"""`python -m deploy.manifests`: render the production overlay, and keep what came out.

What is kept is what would run. Anybody can read it, and a machine without kustomize can check it:
it says of which sources it was made.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import typer
import yaml

from deploy.local.checkout import ROOT

SOURCES = ROOT / "deploy" / "kubernetes"
OVERLAY = SOURCES / "overlays" / "production"
KEPT = SOURCES / "rendered" / "production.yaml"

RENDERERS = {"kustomize": ("kustomize", "build"), "kubectl": ("kubectl", "kustomize")}
HEADER = "# Rendered by `make manifests` from overlays/production, whose sources have\n# sha256:"


def renderers() -> list[str]:
    """Those that are on the PATH, by name."""
    return [name for name in RENDERERS if shutil.which(name)]


def render(renderer: str, folder: str = str(OVERLAY)) -> str:
    """What kustomize makes of a folder; raises CalledProcessError when it cannot."""
    command = [*RENDERERS[renderer], folder]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def digest() -> str:
    """Of all that is rendered from: names and contents."""
    files = sorted(
        path
        for path in SOURCES.rglob("*")
        if path.is_file() and KEPT.parent not in path.parents and path.suffix in (".yaml", ".env")
    )
    told = hashlib.sha256()
    for path in files:
        name = path.relative_to(SOURCES).as_posix().encode()
        told.update(name + b"\0" + path.read_bytes() + b"\0")
    return told.hexdigest()


def kept_digest() -> str:
    _, _, rest = KEPT.read_text(encoding="utf-8").partition(HEADER)
    return rest.partition("\n")[0]


def read(text: str) -> list[dict[str, Any]]:
    """The documents of a stream."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def keep(found: Sequence[str]) -> None:
    if not found:
        raise SystemExit(
            "neither kustomize nor kubectl is on the PATH / 找不到 kustomize 或 kubectl"
        )
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(f"{HEADER}{digest()}\n{render(found[0])}", encoding="utf-8")
    typer.echo(f"{KEPT.relative_to(ROOT)}, by {found[0]}")


if __name__ == "__main__":
    keep(renderers())
