"""Finding every SQL statement in the code, by reading it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.tidy.source import Module, called

METHODS = {"fetch", "fetchrow", "fetchval", "write", "execute", "executemany", "cursor"}
BEGINNINGS = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|TRUNCATE|SET|CREATE|ALTER|DROP|COPY|LOCK)\b"
)
PREPARABLE = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE)\b")
NAMED_SCHEMA = re.compile(
    r"(?<!DISTINCT )(?<!EPOCH )\b(?:FROM|JOIN|INTO|UPDATE|DELETE FROM|LOCK TABLE)\s+"
    r"(?:ONLY\s+)?\"?(\w+)\"?\s*\.\s*\"?\w+",
    re.IGNORECASE,
)
CELL = re.compile(r"\bcell_[0-9{]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement, or None for one whose text cannot be read from the code alone."""

    where: str
    text: str | None


def statements(module: Module) -> Iterator[Statement]:
    """What is passed to fetch, write, execute, insert and the like, and the audits."""
    constants = _constants(module.tree)
    for node in ast.walk(module.tree):
        if called(node) == "insert" and isinstance(node, ast.Call) and _owner(node) == "tx":
            yield Statement(where=module.at(node), text=_inserted(node, module.tree))
            continue
        if called(node) in METHODS and isinstance(node, ast.Call) and node.args:
            text = _text(node.args[0], constants)
            if text is not None and not BEGINNINGS.match(text):
                continue  # a file, a queue: something else that is written to
            if text is None and not _may_be_sql(node):
                continue
            yield Statement(where=module.at(node), text=text)
    yield from _audits(module)


def _audits(module: Module) -> Iterator[Statement]:
    for node in module.tree.body:
        named = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(named, ast.Name) and named.id == "AUDITS":
            assert isinstance(node, ast.AnnAssign)
            assert isinstance(node.value, ast.Dict)
            for value in node.value.values:
                yield Statement(where=module.at(value), text=_text(value, {}))


def _inserted(node: ast.Call, tree: ast.Module) -> str | None:
    """An insert of rows as a statement that names the same table and columns."""
    table, columns = node.args[:2]
    if isinstance(columns, ast.Name):
        named = [
            each.value
            for each in tree.body
            if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == columns.id
        ]
        columns = named[0] if named else columns
    try:
        return f"SELECT {', '.join(_names(columns))} FROM {ast.literal_eval(table)}"
    except ValueError:
        return None


def _names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Tuple):
        for each in node.elts:
            yield from _names(each.value if isinstance(each, ast.Starred) else each)
    else:
        yield str(ast.literal_eval(node))


def _constants(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            text = _text(node.value, found)
            if isinstance(node.targets[0], ast.Name) and text is not None:
                found[node.targets[0].id] = text
    return found


def _text(node: ast.expr, constants: dict[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left, constants), _text(node.right, constants)
        return None if left is None or right is None else left + right
    if isinstance(node, ast.JoinedStr):
        parts = [
            _text(part.value if isinstance(part, ast.FormattedValue) else part, constants)
            for part in node.values
        ]
        return None if None in parts else "".join(part for part in parts if part is not None)
    return None


def _may_be_sql(node: ast.Call) -> bool:
    """Whether an unreadable argument goes to something that looks like a database."""
    return _owner(node) in {"tx", "connection", "pool", "conn"}


def _owner(node: ast.Call) -> str:
    assert isinstance(node.func, ast.Attribute | ast.Name)
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    name: str = getattr(owner, "id", getattr(owner, "attr", ""))
    return name.lstrip("_")


def names_a_schema(text: str) -> bool:
    """Whether a statement names a schema, and so a cell; the catalogue is nobody's cell."""
    found = {name.lower() for name in NAMED_SCHEMA.findall(text)}
    return bool(found - {"pg_catalog", "information_schema"}) or bool(CELL.search(text))
