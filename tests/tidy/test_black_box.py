"""The black box knows the contract alone, and its second client nothing of the first."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

import pytest

from tests.tidy.source import Module, modules

SECOND = "tests/blackbox/jiangxi/"
OURS = (
    *("contracts", "deploy", "gateway", "gm", "kit", "policy", "proof", "relations", "sandbox"),
    *("settlement", "wallet"),
)
SIGNERS = ("http_message_signatures", "http_sf")
"""What the services sign with: who checks them does it by hand."""
OF_THE_FIRST = ("httpx", "kafka")
OF_THE_SECOND = ("requests", "confluent_kafka", "nacl")


def imported(module: Module) -> Iterator[tuple[str, str]]:
    """Each name that a module imports → where."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, module.at(node)) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), module.at(node)


def strangers(module: Module, room: str, foreign: Collection[str]) -> list[str]:
    """What a module imports of `foreign`, or of tests outside its room."""
    return [
        f"{at} {name}"
        for name, at in imported(module)
        if name.partition(".")[0] in foreign
        or name.startswith(".")
        or (name.partition(".")[0] == "tests" and not f"{name}.".startswith(room))
    ]


def first() -> list[Module]:
    return [each for each in modules("tests/blackbox/") if not each.path.startswith(SECOND)]


def test_the_first_client_knows_the_contract_alone() -> None:
    assert len(first()) > 5
    foreign = (*OURS, *SIGNERS, *OF_THE_SECOND)
    assert [
        each for module in first() for each in strangers(module, "tests.blackbox.", foreign)
    ] == []


def test_the_second_client_knows_nothing_of_the_first() -> None:
    second = modules(SECOND)
    assert len(second) > 5
    foreign = (*OURS, *SIGNERS, *OF_THE_FIRST)
    room = "tests.blackbox.jiangxi."
    assert [each for module in second for each in strangers(module, room, foreign)] == []


@pytest.mark.parametrize(
    "text",
    [
        "import contracts",
        "from gm.signing import sign",
        "def f():\n    import kit.http",
        "from tests.support.kit import x",
        "from . import world",
        "from tests.blackbox.world import World",
    ],
)
def test_a_planted_import_is_found(text: str) -> None:
    module = Module.of(f"{SECOND}x.py", text)
    assert strangers(module, "tests.blackbox.jiangxi.", OURS)
