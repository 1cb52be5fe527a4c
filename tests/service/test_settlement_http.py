"""What the gateway may ask settlement over HTTP, and how it is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.clearing import Period, PrefundsListed, Statement
from tests.conftest import MigratedDatabase
from tests.support.settlements import TOKEN, Clearing, clearing_on, topped_up
from tests.support.teller_wallet import SHENZHEN, TellerWallet

ROUTES: dict[str, dict[str, Any]] = {
    "periods/find": {"period": "2026-11", "instance": "/v1/periods/2026-11"},
    "periods/issue": {"period": "2026-11", "instance": "/v1/periods/2026-11/issue"},
    "periods/close": {"period": "2026-11", "instance": "/v1/periods/2026-11/close"},
    "statements/find": {"period": "2026-11", "tier": "national", "instance": "/v1/x"},
    "prefunds/find": {"limit": 10, "after": None, "instance": "/v1/prefunds"},
}
WRONG_MONTHS = ("2026-13", "2026-00", "26-11", "2026-11-01", "november", "", None, 202611)


@pytest.fixture
async def clearing(migrated_database: MigratedDatabase) -> AsyncIterator[Clearing]:
    async with clearing_on(migrated_database("settlement")) as one:
        yield one
        assert await one.pool.fetch("SELECT FROM outbox") == []


@pytest.mark.parametrize("path", ROUTES)
async def test_nobody_asks_without_the_service_token(clearing: Clearing, path: str) -> None:
    for token in ("", "Bearer ", "Bearer another-token-of-enough-length", f"Bearer {TOKEN}x"):
        headers = {"authorization": token}
        found = await clearing.http.post(f"/internal/{path}", json=ROUTES[path], headers=headers)
        assert (found.status_code, found.json()["code"]) == (403, "forbidden"), token


NO_QUESTIONS = (b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 5000, b"{}")


@pytest.mark.parametrize("path", ROUTES)
async def test_what_is_no_question_is_invalid(clearing: Clearing, path: str) -> None:
    for body in NO_QUESTIONS:
        found = await clearing.http.post(f"/internal/{path}", content=body)
        assert (found.status_code, found.json()["code"]) == (422, "invalid"), body


def changed() -> list[tuple[str, dict[str, Any]]]:
    """Each question with one field missing, of another type, out of range, or one too many."""
    found: list[tuple[str, dict[str, Any]]] = []
    for path, asked in ROUTES.items():
        found.append((path, {**asked, "surplus": 1}))
        needed = [name for name in asked if name != "after"]
        found += [(path, {k: v for k, v in asked.items() if k != name}) for name in needed]
        found += [(path, {**asked, "instance": 7})]
        if "period" in asked:
            found += [(path, {**asked, "period": wrong}) for wrong in WRONG_MONTHS]
    statement, prefunds = ROUTES["statements/find"], ROUTES["prefunds/find"]
    for field, wrong in (
        ("tier", "county"),
        ("tier", None),
        ("admdvs", "44"),
        ("admdvs", 440000),
        ("institution", "X00000000001"),
        ("institution", "H1"),
    ):
        found.append(("statements/find", {**statement, field: wrong}))
    for field, odd in (
        *(("limit", 0), ("limit", 201), ("limit", "10"), ("limit", 1.5), ("limit", True)),
        *(("after", "440000"), ("after", "440000-66000"), ("after", 7), ("after", "")),
    ):
        found.append(("prefunds/find", {**prefunds, field: odd}))
    return found


async def test_a_question_is_strict(clearing: Clearing) -> None:
    for path, asked in changed():
        found = await clearing.http.post(f"/internal/{path}", json=asked)
        assert (found.status_code, found.json()["code"]) == (422, "invalid"), (path, asked)


@pytest.mark.parametrize("path", ["periods/find", "periods/issue", "periods/close"])
async def test_a_refusal_is_told_about_the_callers_own_path(clearing: Clearing, path: str) -> None:
    found = await clearing.ask(path, **ROUTES[path])
    assert (found.status, found.code) == (404, "not-found")
    assert found.body["instance"] == ROUTES[path]["instance"]
    assert found.body["title_zh"]


async def test_a_database_that_is_away_is_unavailable(clearing: Clearing) -> None:
    await clearing.pool.execute("ALTER TABLE period RENAME TO elsewhere")
    broken = await clearing.http.post("/internal/periods/close", json=ROUTES["periods/close"])
    assert broken.json()["status"] == 500
    await clearing.pool.execute("ALTER TABLE elsewhere RENAME TO period")
    lent = [await clearing.pool.acquire() for _ in range(clearing.pool.get_max_size())]
    for path in ("periods/close", "prefunds/find"):
        found = await clearing.http.post(f"/internal/{path}", json=ROUTES[path])
        assert (found.status_code, found.json()["code"]) == (503, "unavailable")
        assert found.headers["retry-after"] == "1"
    for each in lent:
        await clearing.pool.release(each)


async def test_what_is_answered_is_what_the_contract_says(
    migrated_database: MigratedDatabase,
) -> None:
    async with clearing_on(migrated_database("settlement")) as clearing:
        wallet = TellerWallet()
        wallet.capture((SHENZHEN, 500))
        await clearing.hear_all(wallet)
        await clearing.said("440000", topped_up("660000", 5))
        for given in (await clearing.find(), await clearing.issue()):
            assert Period.model_validate_json(given.text).model_dump_json() == given.text
        statement = (await clearing.statement("national")).text
        assert Statement.model_validate_json(statement).model_dump_json() == statement
        listed = (await clearing.prefunds()).text
        assert PrefundsListed.model_validate_json(listed).model_dump_json() == listed
