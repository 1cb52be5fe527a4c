"""Nothing leaves its cell: a statement by its words, a store by what it is handed."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tidy.source import Module, called, modules
from tests.tidy.sql import statements

WALLET = "services/wallet/src/wallet/"
STORE, USECASES = f"{WALLET}store/", f"{WALLET}usecases/"
KIT = "libs/kit/"
MAKES_SCHEMAS = "libs/kit/migrate.py"

ELSEWHERE = re.compile(r"\b(search_path|dblink|postgres_fdw|set_config)\b", re.IGNORECASE)
ADVISORY = re.compile(r"\bpg_(?:try_)?advisory_\w+\(", re.IGNORECASE)

REACHING = {"Pool", "Cells", "Door", "Connection", "PoolConnectionProxy"}
"""What reaches beyond the transaction that the door hands out."""


def leaves_its_cell(text: str) -> bool:
    """Whether a statement looks for another schema, server or database by itself."""
    return bool(ELSEWHERE.search(text))


def test_no_statement_looks_elsewhere() -> None:
    found = [
        each.where
        for module in modules("services/", "sandbox/", KIT)
        if module.path != MAKES_SCHEMAS
        for each in statements(module)
        if each.text is not None and leaves_its_cell(each.text)
    ]
    assert found == []


def named_types(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The names in a function's annotations, each as often as it is there."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [
        node.id if isinstance(node, ast.Name) else node.attr
        for argument in arguments
        if argument.annotation is not None
        for node in ast.walk(argument.annotation)
        if isinstance(node, ast.Name | ast.Attribute)
    ]


def reaching(module: Module) -> list[str]:
    """Functions that could speak to two cells: by two transactions, or by a connection."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = named_types(node)
            if names.count("Transaction") > 1 or REACHING & set(names):
                found.append(module.at(node))
    return found


def test_who_reads_and_writes_the_wallet_is_handed_one_transaction_and_no_connection() -> None:
    functions = [where for module in modules(STORE, USECASES) for where in reaching(module)]
    assert functions == []


def test_nobody_copies_into_a_named_schema() -> None:
    found = [
        module.at(node)
        for module in modules("services/", "sandbox/", KIT)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and called(node).startswith("copy_")
        and any(each.arg == "schema_name" for each in node.keywords)
    ]
    assert found == []


def advisory_statements() -> list[tuple[str, str]]:
    return [
        (each.where, each.text)
        for module in modules("services/", "sandbox/", KIT)
        for each in statements(module)
        if each.text is not None and ADVISORY.search(each.text)
    ]


def names_its_cell(text: str) -> bool:
    """Whether a lock's key is not the same in all cells: a parameter, or the schema itself.

    Who gives back all that its own session took names none.
    """
    return "$" in text or "current_schema()" in text or "pg_advisory_unlock_all()" in text


def test_advisory_locks_are_their_cells_own() -> None:
    found = advisory_statements()
    assert len(found) >= 3, "the cut, the relay, parking"
    assert [where for where, text in found if not names_its_cell(text)] == []


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        ("SELECT available FROM quota WHERE quota_id = $1", False),
        ("SET search_path = cell_1", True),
        ("SELECT set_config('search_path', $1, true)", True),
        ("SELECT * FROM dblink('cell_1', 'SELECT 1') AS t (n int)", True),
    ],
)
def test_a_statement_that_looks_elsewhere_is_found(text: str, leaves: bool) -> None:
    assert leaves_its_cell(text) is leaves


HANDED_TOO_MUCH = """
async def one(tx: Transaction, ids: Sequence[UUID]) -> None: ...
async def two(here: Transaction, there: Transaction) -> None: ...
async def some(pools: Sequence[Pool]) -> None: ...
"""


def test_a_function_that_could_speak_to_two_cells_is_found() -> None:
    assert reaching(Module.of("x.py", HANDED_TOO_MUCH)) == ["x.py:3", "x.py:4"]
