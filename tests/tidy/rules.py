"""docs/rules.md: which test holds which rule. `python -m tests.tidy.rules` prints it as JSON.

The rules' words stand in libs/policy/law/rules.yaml; the tests say by `@pytest.mark.rule("R5")`
which of them they hold, the code says by a plain R5 in its docstrings and comments where it
decides one.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORDS = ROOT / "libs" / "policy" / "law" / "rules.yaml"
PAGE = "docs/rules.md"
CODE = ("services/*/src", "libs/policy", "sandbox")
SUFFIXES = (".py", ".yaml")

HEAD = """\
# Rules

Which rule is decided where, and which test holds it. Made by `make contracts` from
[rules.yaml](../libs/policy/law/rules.yaml) and from the tests' marks; do not edit. A rule without
a test is not built yet; one with a test is switched off by
[mutations.yaml](../tests/mutations.yaml), to see it fail.

Grades: **A** official notice · **B** interface standard and practice · **C** aggregator pages ·
**D** our own decision · **U** unverified. What is C, D or U is a setting with a default.

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A test that holds a rule."""

    rule: str
    path: str
    name: str


def words() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    return found


def marks(root: Path = ROOT) -> list[Held]:
    """Every test that names a rule, by reading the tests and not by running them."""
    found = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        where = path.relative_to(root).as_posix()
        of_module = rules_in(_module_marks(tree))
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            of_node = of_module | rules_in(node.decorator_list)
            for name, of_test in _tests_in(node):
                found += [Held(rule=rule, path=where, name=name) for rule in of_node | of_test]
    return found


def _module_marks(tree: ast.Module) -> list[ast.expr]:
    return [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(name, ast.Name) and name.id == "pytestmark" for name in node.targets)
    ]


def _tests_in(node: ast.stmt) -> list[tuple[str, set[str]]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [(node.name, set())] if node.name.startswith("test") else []
    assert isinstance(node, ast.ClassDef)
    return [
        (f"{node.name}.{each.name}", rules_in(each.decorator_list))
        for each in node.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name.startswith("test")
    ]


def rules_in(expressions: list[ast.expr]) -> set[str]:
    """The ids in `rule("R5")`, wherever it stands in these expressions."""
    return {
        str(argument.value)
        for expression in expressions
        for node in ast.walk(expression)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "rule"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }


def deciding() -> dict[str, list[str]]:
    """The files of the code that name a rule."""
    found: dict[str, list[str]] = defaultdict(list)
    for pattern in CODE:
        for folder in sorted(ROOT.glob(pattern)):
            for path in sorted(folder.rglob("*")):
                if path.suffix not in SUFFIXES or path == WORDS:
                    continue
                text = path.read_text(encoding="utf-8")
                for rule in sorted(set(re.findall(r"\bR[1-9][0-9]?\b", text))):
                    found[rule].append(path.relative_to(ROOT).as_posix())
    return dict(found)


def page() -> str:
    held: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in marks():
        held[each.rule][each.path].append(each.name)
    where = deciding()
    return HEAD + "\n".join(
        _section(rule, told, where.get(rule, []), held.get(rule, {}))
        for rule, told in words().items()
    )


def _section(rule: str, told: dict[str, Any], code: list[str], tests: dict[str, list[str]]) -> str:
    lines = [f"## {rule} · {told['grade']}", "", told["text"], told["zh"] + "。", ""]
    if tests:
        lines += [f"- code: {_link(path)}" for path in code]
        lines += [
            f"- test: {_link(path)} " + ", ".join(name.removeprefix("test_") for name in names)
            for path, names in tests.items()
        ]
        lines.append("")
    return "\n".join(lines)


def _link(path: str) -> str:
    return f"[{path}](../{path})"


if __name__ == "__main__":
    sys.stdout.write(json.dumps({PAGE: page()}))
