"""Asking a service for the history of an id or a key, as the gateway does."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import httpx
from fastapi import APIRouter

from contracts.internal import History, HistoryStep
from kit.health import Health
from kit.http import create_app

TOKEN = "the-service-token"


def client_of(router: APIRouter) -> httpx.AsyncClient:
    app = create_app("history", health=Health())
    app.include_router(router)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://history",
        headers={"authorization": f"Bearer {TOKEN}"},
    )


async def history_of(
    client: httpx.AsyncClient,
    name: object,
    *,
    caller: str | None = None,
    also: Sequence[object] = (),
) -> History:
    params: dict[str, str | list[str]] = {"also": [str(each) for each in also]}
    if caller is not None:
        params["caller"] = caller
    path = f"/internal/history/{quote(str(name), safe='')}"
    found = await client.get(path, params=params)
    assert found.status_code == 200, found.text
    return History.model_validate_json(found.text)


def told(history: History) -> list[str]:
    """Type, amount and rules of each step, in the order of time."""
    steps = sorted(history.steps, key=lambda step: step.at)
    return [line(step) for step in steps]


def line(step: HistoryStep) -> str:
    amount = "" if step.amount_fen is None else f" {step.amount_fen}"
    said = f" {step.refusal}" if step.refusal else ""
    return f"{step.type}{amount}{said} {' '.join(step.rules)}".rstrip()


async def refuses(client: httpx.AsyncClient) -> None:
    """Without the service's token nobody is told anything; what makes no sense is invalid."""
    for header in ({"authorization": ""}, {"authorization": f"Bearer {TOKEN}x"}):
        given = await client.get("/internal/history/x", headers=header)
        assert (given.status_code, given.json()["code"]) == (403, "forbidden")
    for path in ("%20", "%E5%85%B1", "x" * 256):
        given = await client.get(f"/internal/history/{path}")
        assert (given.status_code, given.json()["code"]) == (422, "invalid"), path
