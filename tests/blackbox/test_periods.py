"""Months, statements and prefunds: who may ask, and what makes no sense (contract §3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.blackbox.world import JSON, Clerk, Counter, World, new_key

MONTH = "/v1/periods/2026-11"


@pytest.fixture(scope="module")
def clerk(world: World) -> Clerk:
    return world.clerk("clearing")


PATHS = [
    ("GET", MONTH),
    ("GET", f"{MONTH}/statements?tier=national"),
    ("GET", "/v1/prefunds"),
    ("POST", f"{MONTH}/cut"),
    ("POST", f"{MONTH}/issue"),
    ("POST", f"{MONTH}/close"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_only_clerks_for_clearing_may(
    world: World, hospital: Counter, method: str, path: str
) -> None:
    body: dict[str, Any] | None = {} if method == "POST" else None
    for somebody in (world.person(), world.clerk("audit"), world.clerk()):
        somebody.ask(method, path, body).refused("forbidden", 403)
    nobody = Clerk(world=world, token="x")
    assert nobody.ask(method, path, body).status == 401
    if "statements" not in path:
        signed = hospital.send(method, path, b"{}" if body is not None else b"", new_key())
        assert signed.status in (401, 403)


def test_a_step_needs_a_key_and_the_empty_body(clerk: Clerk, world: World) -> None:
    bearer = {"authorization": f"Bearer {clerk.token}", "content-type": JSON}
    for verb in ("cut", "issue", "close"):
        path = f"{MONTH}/{verb}"
        unkeyed = world.send("POST", world.stack.url("gateway") + path, b"{}", bearer)
        unkeyed.refused("key-required", 422)
        clerk.ask("POST", path, {"early": True}).refused("invalid", 422)
        clerk.ask("POST", path, []).refused("invalid", 422)


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "abc", "202611", "2026-11-01", "%20"])
def test_what_is_no_month_is_not_found(clerk: Clerk, month: str) -> None:
    path = f"/v1/periods/{month}"
    assert clerk.ask("GET", path).status == 404
    for verb in ("cut", "issue", "close"):
        assert clerk.step(month, verb).status == 404
    assert clerk.ask("GET", f"{path}/statements?tier=national").status == 404


def test_a_month_far_away_is_not_there_yet(clerk: Clerk) -> None:
    clerk.ask("GET", "/v1/periods/2099-12").refused("not-found", 404)
    for verb in ("cut", "issue", "close"):
        assert clerk.step("2099-12", verb).code in ("not-found", "wrong-state")
