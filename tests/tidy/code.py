"""What may not stand in the code: each check takes a module and says where it is broken."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.tidy.source import Module, called

LONGEST_FUNCTION = 60
LONGEST_FILE = 400

EMPTY_NAMES = {"manager", "helper", "helpers", "util", "utils"}
"""Words that say nothing of what a thing does, at the end of any name."""
EMPTY_ALONE = {"common", "process", "info", "handle_data"}
"""Names of functions and files that say nothing when they stand alone."""

Functions = ast.FunctionDef | ast.AsyncFunctionDef


def long_files(module: Module) -> Iterator[str]:
    lines = module.text.count("\n")
    if lines > LONGEST_FILE:
        yield f"{module.path}: {lines} lines"


def long_functions(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, Functions) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{module.at(node)} {node.name}: {lines} lines"


def empty_names(module: Module) -> Iterator[str]:
    stem = module.path.rpartition("/")[2].removesuffix(".py")
    if _is_empty(stem):
        yield f"{module.path}: the name says nothing"
    for node in ast.walk(module.tree):
        if isinstance(node, Functions | ast.ClassDef) and _is_empty(node.name):
            yield f"{module.at(node)} {node.name}: the name says nothing"


def _is_empty(name: str) -> bool:
    words = re.findall(r"[A-Z]?[a-z0-9]+", name)
    return name in EMPTY_ALONE or (bool(words) and words[-1].lower() in EMPTY_NAMES)


def floats(module: Module) -> Iterator[str]:
    """Money is whole fen; the only fractions are seconds, in names that say so."""
    parents = {
        child: node for node in ast.walk(module.tree) for child in ast.iter_child_nodes(node)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "decimal":
            yield f"{module.at(node)}: Decimal"
        if not isinstance(node, ast.Call | ast.Constant) or _is_time(node, parents):
            continue
        if called(node) in ("float", "Decimal"):
            yield f"{module.at(node)}: {called(node)}()"
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{module.at(node)}: {node.value!r}"


TIMES = re.compile(
    r"(seconds?|timeout|pause|deadline|within|soonest|latest|every|interval|delay|jitter|expir"
    r"|sleep|wait|happens|until|age|lag|limit|timedelta|connect|pool|read|buckets|idle|_at\b|created)",
    re.IGNORECASE,
)


def _is_time(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a keyword, a call, a parameter or a statement around a number names a time."""
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.keyword) and TIMES.search(node.arg or ""):
            return True
        if isinstance(node, ast.Call) and TIMES.search(called(node)):
            return True
        if isinstance(node, ast.stmt):
            return bool(TIMES.search(ast.unparse(node)))
    return False


ENDINGS = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT \w+)\s*;?\s*")


def commits(module: Module) -> Iterator[str]:
    """Nobody commits but the door."""
    for node in ast.walk(module.tree):
        if called(node) in ("transaction", "commit", "rollback") and isinstance(node, ast.Call):
            yield f"{module.at(node)}: {called(node)}()"
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and ENDINGS.fullmatch(text):
            yield f"{module.path}: {text.strip()}"


def waits(module: Module) -> Iterator[str]:
    """The domain does not await."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"{module.at(node)}: awaits"


def sleeps(module: Module) -> Iterator[str]:
    """A test waits for a condition, asked again and again, and never just for a time."""
    asked_again = {
        inner
        for node in ast.walk(module.tree)
        if isinstance(node, ast.While)
        for inner in ast.walk(node)
    }
    for node in ast.walk(module.tree):
        if node in asked_again:
            continue
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep"):
            yield f"{module.at(node)}: {ast.unparse(node)}"


UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
SILENCED = re.compile(r"#\s*(type: ignore|noqa)(\[[\w-]+\]|: [A-Z]+\d+(, ?[A-Z]+\d+)*)?")


def unexplained(module: Module) -> Iterator[str]:
    """What silences a check, or swallows an error, says why beside it."""
    lines = module.text.splitlines()
    for number, line in enumerate(lines, start=1):
        if UNFINISHED.search(line):
            yield f"{module.path}:{number}: unfinished"
        silenced = SILENCED.search(line)
        above = lines[number - 2].lstrip() if number > 1 else ""
        if silenced and not (re.search(r"\w{2}", line[silenced.end() :]) or above.startswith("#")):
            yield f"{module.path}:{number}: silenced without a reason"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node) and not _raises(node):
            near = "\n".join(lines[node.lineno - 1 : node.body[0].lineno + 1])
            if "#" not in near:
                yield f"{module.path}:{node.lineno}: catches everything without a reason"


def _catches_all(node: ast.ExceptHandler) -> bool:
    if node.type is None:
        return True
    return isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")


def _raises(node: ast.ExceptHandler) -> bool:
    """Whether what is caught may go on: then it was only looked at."""
    return any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
