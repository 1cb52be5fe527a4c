"""What is asked about months: by clerks of the gateway, by the gateway of our own services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.town_route import Route, Send

MONTH = "2026-11"

OF_CLERKS: dict[str, dict[str, Any] | None] = {
    "GET /v1/periods/{month}": None,
    "GET /v1/periods/{month}/statements": None,
    "GET /v1/prefunds": None,
    "POST /v1/periods/{month}/cut": {},
    "POST /v1/periods/{month}/issue": {},
    "POST /v1/periods/{month}/close": {},
}
ASKED = {"period": MONTH, "instance": f"/v1/periods/{MONTH}"}
INTERNAL: dict[str, dict[str, Any]] = {
    "wallet POST /internal/periods/cut": ASKED,
    "wallet POST /internal/periods/find": ASKED,
    "settlement POST /internal/periods/find": ASKED,
    "settlement POST /internal/periods/issue": ASKED,
    "settlement POST /internal/periods/close": ASKED,
    "settlement POST /internal/statements/find": {
        **ASKED,
        "tier": "institution",
        "institution": "P65900200001",
    },
    "settlement POST /internal/prefunds/find": {
        "limit": 50,
        "after": "440000-660000",
        "instance": "/v1/prefunds",
    },
}
"""A body that would be taken, by service, method and path."""


def routes_of_clerks(send: Callable[[str, str], Send]) -> list[Route]:
    """`send` says how a method on a path of the gateway is asked by a clerk."""
    found = []
    for name, good in OF_CLERKS.items():
        method, path = name.replace("{month}", MONTH).split(" ")
        found.append(Route(name=f"gateway {name}", send=send(method, path), good=good))
    return found


def internal_routes_of_months(send: Callable[..., Send]) -> list[Route]:
    """`send` says how a method on a path of one of our own services is asked."""
    return [
        Route(name=name, send=send(*name.split(" ")), good=good) for name, good in INTERNAL.items()
    ]
