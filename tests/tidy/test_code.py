"""The code keeps the rules of the house; each check is shown to find what it is there to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.tidy.code import (
    commits,
    empty_names,
    floats,
    long_files,
    long_functions,
    sleeps,
    unexplained,
    waits,
)
from tests.tidy.source import Module, modules

Check = Callable[[Module], Iterator[str]]

OURS = ("services/", "libs/", "sandbox/", "deploy/", "tests/")
MONEY = ("services/", "libs/contracts/", "libs/policy/", "libs/proof/", "sandbox/")


def everywhere() -> list[Module]:
    return list(modules())


def near_money() -> list[Module]:
    return list(modules(*MONEY))


def outside_the_door() -> list[Module]:
    # Proofs read snapshots; tests look at the database as a stranger would.
    return [
        module
        for module in modules("services/", "sandbox/", "libs/")
        if not module.path.startswith(("libs/kit/", "libs/proof/"))
    ]


def domains() -> list[Module]:
    return [module for module in modules("services/", "sandbox/") if "/domain/" in module.path]


def of_tests() -> list[Module]:
    return list(modules("tests/"))


CHECKS: list[tuple[Check, Callable[[], list[Module]]]] = [
    (long_files, everywhere),
    (long_functions, everywhere),
    (empty_names, everywhere),
    (unexplained, everywhere),
    (floats, near_money),
    (commits, outside_the_door),
    (waits, domains),
    (sleeps, of_tests),
]


@pytest.mark.parametrize(("check", "chosen"), CHECKS, ids=lambda each: each.__name__)
def test_the_code_keeps_the_rules(check: Check, chosen: Callable[[], list[Module]]) -> None:
    found = [module for module in chosen() if module.text]
    assert len(found) > 5, "nothing was looked at"
    assert [each for module in found for each in check(module)] == []


LONG = "def f():\n" + "    pass\n" * 60
PLANTED: list[tuple[Check, str, str]] = [
    (long_files, "x.py", "\n" * 401),
    (long_functions, "x.py", LONG),
    (empty_names, "utils.py", ""),
    (empty_names, "x.py", "class QuotaManager: ..."),
    (empty_names, "x.py", "def handle_data(): ..."),
    (unexplained, "x.py", "x = 1  # TO" + "DO"),
    (unexplained, "x.py", "x = f()  # type" + ": ignore[arg-type]"),
    (unexplained, "x.py", "x = f()  # no" + "qa: S608"),
    (unexplained, "x.py", "try:\n    f()\nexcept Exception:\n    pass\n"),
    (floats, "x.py", "share = 0.5"),
    (floats, "x.py", "fen = float(text)"),
    (floats, "x.py", "from decimal import Decimal"),
    (commits, "x.py", "async def f(c):\n    async with c.transaction():\n        pass"),
    (commits, "x.py", "async def f(c):\n    await c.execute('COMMIT')"),
    (waits, "x.py", "async def f(): ..."),
    (sleeps, "x.py", "import time\ntime.sleep(1)"),
    (sleeps, "x.py", "from time import sleep\nsleep(1)"),
]


@pytest.mark.parametrize(("check", "path", "text"), PLANTED)
def test_what_is_planted_is_found(check: Check, path: str, text: str) -> None:
    assert list(check(Module.of(path, text)))


ALLOWED: list[tuple[Check, str]] = [
    (long_functions, "def f():\n" + "    pass\n" * 59),
    (unexplained, "x = f()  # type" + ": ignore[arg-type] # the stub is wrong"),
    (
        unexplained,
        "try:\n    f()\nexcept Exception:  # whatever it was, the caller is told\n    g()",
    ),
    (floats, "PAUSE_SECONDS = 0.5"),
    (floats, "client(timeout=0.5)"),
    (sleeps, "async def slow():\n    await asyncio.sleep(5)"),
    (sleeps, "def f():\n    while not done():\n        time.sleep(0.05)"),
    (unexplained, "try:\n    f()\nexcept Exception:\n    if g():\n        raise"),
]


@pytest.mark.parametrize(("check", "text"), ALLOWED)
def test_what_is_good_passes(check: Check, text: str) -> None:
    assert list(check(Module.of("x.py", text))) == []
