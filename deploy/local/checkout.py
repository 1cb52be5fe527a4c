"""Where the stack of one checkout keeps its files, and the name it has on shared servers."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """`var` is all that a stack writes to; GONGJI_VAR moves it."""

    var: Path

    @classmethod
    def here(cls) -> Checkout:
        return cls(var=Path(os.environ.get("GONGJI_VAR") or ROOT / "var").resolve())

    @property
    def mark(self) -> str:
        """Tells this checkout from others on a server that several share."""
        return hashlib.sha256(str(self.var).encode()).hexdigest()[:8]

    @property
    def stack_file(self) -> Path:
        return self.var / "stack.json"

    @property
    def state_file(self) -> Path:
        """What the supervisor says of itself and its children, for `down` and `restart`."""
        return self.var / "supervisor.json"

    @property
    def installation_file(self) -> Path:
        """What is fixed once there is data: the cells, and the servers that hold it."""
        return self.var / "installation.json"

    @property
    def institutions_file(self) -> Path:
        return self.var / "institutions.json"

    @property
    def world_file(self) -> Path:
        return self.var / "world.json"

    @property
    def keys(self) -> Path:
        return self.var / "keys"

    @property
    def jars(self) -> Path:
        """Shared by all stacks of a checkout, and kept when data is forgotten."""
        return ROOT / "var" / "kafka-jars"

    @property
    def pgdata(self) -> Path:
        return self.var / "pgdata"

    @property
    def kafka(self) -> Path:
        return self.var / "kafka"

    @property
    def sandbox(self) -> Path:
        return self.var / "sandbox"

    def log(self, name: str) -> Path:
        return self.var / "log" / f"{name}.log"


def write_json(file: Path, content: object) -> None:
    """Whole or not at all, and for our eyes only: DSNs may carry passwords."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(content, out, ensure_ascii=False, indent=2)
        out.write("\n")
    scratch.replace(file)


def read_json(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    assert isinstance(content, dict)
    return content
