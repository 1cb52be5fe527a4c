"""The repository's own text, as the tests of tidiness read it."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A Python file: its path from the root, its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> Module:
        return cls(path=path, text=text, tree=ast.parse(text))

    def at(self, node: ast.stmt | ast.expr) -> str:
        return f"{self.path}:{node.lineno}"


@cache
def tracked() -> tuple[str, ...]:
    """Every file that is, or is about to be, in the repository; from the root, sorted."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(sorted({path for path in listed.stdout.splitlines() if (ROOT / path).is_file()}))


def modules(*prefixes: str) -> tuple[Module, ...]:
    """The Python files below these folders, all of them if none is named."""
    return tuple(
        module(path)
        for path in tracked()
        if path.endswith(".py") and (not prefixes or path.startswith(prefixes))
    )


@cache
def module(path: str) -> Module:
    return Module.of(path, (ROOT / path).read_text(encoding="utf-8"))


def services() -> list[str]:
    """The services that are built; the sandbox is none of them."""
    return sorted(path.name for path in (ROOT / "services").iterdir() if (path / "src").is_dir())


def called(node: ast.AST) -> str:
    """`fetch` of `tx.fetch(…)`, `faultpoint` of `faultpoint(…)`; "" for what is no call."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""
