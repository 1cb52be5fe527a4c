"""The repository keeps its promises: migrations, README, rules, refusals, fault points."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

import pytest

from contracts.refusals import CATALOGUE
from kit.refusal import Refusal
from tests.tidy import landed, rules
from tests.tidy.source import ROOT, Module, called, modules, services, tracked

# Put together here, so that this file does not name what no file may name.
HOSTS = re.compile(
    r"(pypi|pythonhosted|python)\.org(?=[/:]|$)|"
    + "|".join(
        rf"{name}\.{end}"
        for name, end in (
            (r"repo\d?\.maven(\.apache)?", "org"),
            ("maven-central", "storage"),
            ("npm" + "js", "(org|com)"),
            ("registry\\.yarn" + "pkg", "com"),
            ("proxy\\.go" + "lang", "org"),
            ("(index\\.)?crates", "io"),
            ("(registry-1\\.)?docker", "io"),
            ("ghcr", "io"),
            ("quay", "io"),
        )
    )
)
PATHS = re.compile(r"(?<![\w.$}-])/(work|root|Users|home/\w+)/")
NOT_TEXT = (".png", ".woff2", ".ico", ".jar")


def addresses(path: str, text: str) -> list[str]:
    return [
        f"{path}:{number}: {found[0]}"
        for number, line in enumerate(text.splitlines(), start=1)
        for found in (HOSTS.search(line), PATHS.search(line))
        if found
    ]


def test_no_file_names_a_registry_or_a_machines_folder() -> None:
    found = [
        each
        for path in tracked()
        if not path.endswith(NOT_TEXT)
        for each in addresses(path, (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://files.python" + "hosted.org/x", True),
        ("image: ghcr" + ".io/x/y", True),
        ("cd /ro" + "ot/x", True),
        ("cd /wo" + "rk/main", True),
        ("GET /v1/payments", False),
        ("see the homework/ folder", False),
        ("docs.python" + ".org is fine in words", False),
    ],
)
def test_a_planted_address_is_found(text: str, found: bool) -> None:
    assert bool(addresses("x", text)) is found


def test_landed_migrations_are_unchanged() -> None:
    assert landed.broken(landed.noted(), landed.checksums()) == []


def test_a_changed_migration_is_found() -> None:
    before = {"a/0001_first.sql": "1", "a/0002_second.sql": "2"}
    assert landed.broken(before, {**before, "a/0003_third.sql": "3"}) == []
    assert landed.broken(before, {**before, "a/0001_first.sql": "9"}) != []
    assert landed.broken(before, {"a/0001_first.sql": "1"}) != []
    assert landed.broken(before, {**before, "a/0002_between.sql": "3"}) != []


def usecases() -> dict[str, str]:
    """Every use case of the services → its path."""
    return {
        path.stem: path.relative_to(ROOT).as_posix()
        for service in services()
        for path in sorted((ROOT / "services" / service).glob("src/*/usecases/*.py"))
        if "async def " in path.read_text(encoding="utf-8")
        and f"def {path.stem}" in path.read_text(encoding="utf-8")
    }


def section(text: str, title: str) -> str:
    """The lines of a markdown section, up to the next heading."""
    _, _, rest = text.partition(f"## {title}\n")
    return rest.partition("\n## ")[0]


def test_the_life_of_one_yuan_names_every_use_case() -> None:
    table = section((ROOT / "README.md").read_text(encoding="utf-8"), "The life of one yuan")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len(rows) > 3, "README.md has a table under the heading 'The life of one yuan'"
    named = set(re.findall(r"[a-z]+(?:_[a-z]+)*", "\n".join(rows)))
    assert sorted(usecases().keys() - named) == []
    assert len(usecases()) >= 8


def test_each_rule_of_the_marks_is_a_rule() -> None:
    unknown = sorted({held.rule for held in rules.marks()} - rules.words().keys())
    assert unknown == []


BUILT = {
    *("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10"),
    *("R11", "R12", "R13", "R15", "R16", "R17", "R18", "R20", "R22", "R23"),
    *("R26", "R27", "R28", "R29", "R30", "R31", "R32", "R33", "R34", "R35", "R36"),
}


def test_each_rule_that_is_built_has_a_test() -> None:
    held = {each.rule for each in rules.marks()}
    assert sorted(BUILT - held) == []


def test_each_rule_that_a_service_names_as_decided_is_known() -> None:
    assert sorted(rules.deciding().keys() - rules.words().keys()) == []


# What the HTTP frame itself answers: nobody raises them to refuse something.
FRAME = {"MethodNotAllowed", "Internal"}
# Why a province's record is parked: no caller is ever told.
OF_RECORDS = {"UnknownPerson", "NumberOfAnother"}


def refusals_defined() -> dict[str, str]:
    """Every refusal of the services and their libraries → where it is defined."""
    known = {"Refusal"}
    found: dict[str, str] = {}
    nodes = [
        (module, node)
        for module in modules("libs/", "services/")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    ]
    while True:
        more = {
            node.name: module.at(node)
            for module, node in nodes
            if node.name not in known and any(_name(base) in known for base in node.bases)
        }
        if not more:
            return found
        found |= more
        known |= more.keys()


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_each_refusal_is_in_the_catalogue() -> None:
    catalogue = {refusal.__name__ for refusal in CATALOGUE}
    defined = refusals_defined()
    outside = {
        name: at for name, at in defined.items() if name not in catalogue | FRAME | OF_RECORDS
    }
    assert outside == {}
    assert catalogue <= defined.keys()


@pytest.mark.parametrize("refusal", CATALOGUE, ids=lambda refusal: refusal.__name__)
def test_each_refusal_is_told_in_two_languages(refusal: type[Refusal]) -> None:
    assert re.search(r"[一-鿿]", refusal.title_zh)
    assert refusal.title()
    assert 400 <= refusal.status < 600
    assert refusal.status != 500
    assert not (refusal.kept and refusal.status in (401, 403, 429, 503))


def texts(found: Iterable[Module], function: str) -> set[str]:
    """The texts that a function is called with."""
    return {
        argument.value
        for module in found
        for node in ast.walk(module.tree)
        if called(node) == function and isinstance(node, ast.Call)
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def test_each_fault_point_is_declared_and_passed() -> None:
    ours = modules("libs/", "services/", "sandbox/")
    declared, passed = texts(ours, "declare"), texts(ours, "faultpoint")
    assert declared == passed
    assert len(declared) > 5
