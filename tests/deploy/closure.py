"""What a program needs to run: the modules it reaches, and the distributions they come from."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions, requires
from typing import Any

import grimp
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.local.checkout import ROOT

LIBS = ("contracts", "gm", "kit", "policy", "proof")
PROGRAMS = {
    "gateway": "services/gateway",
    "relations": "services/relations",
    "sandbox": "sandbox",
    "settlement": "services/settlement",
    "wallet": "services/wallet",
}
"""Every program that has an image → where it lives."""

BY_NAME = {"httptools": "uvicorn", "cramjam": "aiokafka", "sniffio": "httpx"}
"""What nobody of us imports → who loads it by its name, where it is there."""


@cache
def _graph() -> Any:
    return grimp.build_graph(
        *PROGRAMS,
        *LIBS,
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )


@cache
def reached(program: str) -> frozenset[str]:
    """Every module that may be imported when the program runs, the packages above them too."""
    graph = _graph()
    found = graph.find_descendants(program) | {program}
    waiting = set(found)
    while waiting:
        module = waiting.pop()
        above = {module.rpartition(".")[0]} - {""}
        new = (graph.find_modules_directly_imported_by(module) | above) - found
        found |= new
        waiting |= new & graph.modules
    return frozenset(found)


def libs_of(program: str) -> list[str]:
    return sorted({module.partition(".")[0] for module in reached(program)} & set(LIBS))


def imported(program: str) -> set[str]:
    """The distributions that the program and its libs import themselves."""
    tops = {module.partition(".")[0] for module in reached(program)}
    foreign = tops - set(LIBS) - PROGRAMS.keys() - set(sys.stdlib_module_names)
    known = packages_distributions()
    direct = {canonicalize_name(known[top][0]) for top in foreign}
    return direct | {name for name, loader in BY_NAME.items() if loader in direct}


def declared(program: str) -> set[str]:
    """What the program's pyproject.toml says that it needs."""
    text = (ROOT / PROGRAMS[program] / "pyproject.toml").read_text(encoding="utf-8")
    listed = tomllib.loads(text)["project"]["dependencies"]
    return {canonicalize_name(Requirement(line).name) for line in listed}


def with_what_they_need(names: Iterable[str]) -> set[str]:
    """These distributions and, as they say themselves, all that they need here."""
    found: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(name), "") for name in names]
    while waiting:
        each = waiting.pop()
        if each in found:
            continue
        found.add(each)
        name, extra = each
        for line in requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(needed.name), it) for it in ("", *needed.extras)]
    return {name for name, _ in found}


def locked(text: str) -> dict[str, str]:
    """The blocks of a hashed lock: distribution → its version and hashes, word for word."""
    blocks = re.split(r"(?m)^(?=[a-zA-Z0-9])", text)
    return {canonicalize_name(block.partition("==")[0]): block for block in blocks if block}
