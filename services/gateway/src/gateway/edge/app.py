"""The application: public routes inside the frame that every service has, answers signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route as PathRoute

from gateway.edge.answers import SignedAnswers
from gateway.edge.endpoint import Authentication, Endpoint, Route
from gateway.edge.openapi import described
from gateway.edge.room import Room
from gm.signing import SigningKey
from kit.http import put_around, serve_directly


def add_routes(
    app: FastAPI,
    routes: Sequence[Route],
    *,
    authentications: Mapping[str, Authentication],
    room: Room,
    fingerprint_key: bytes,
    response_key: SigningKey,
) -> None:
    """Serve these routes and describe them; whoever signs gets signed answers, on any path."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route
    served = []
    for path, methods in by_path.items():
        endpoint = Endpoint(
            routes=methods,
            authentications=authentications,
            room=room,
            fingerprint_key=fingerprint_key,
        )
        if "{" not in path:
            for method in methods:
                serve_directly(app, method, path, endpoint)
        # A key may contain slashes; ids never do.
        taken = path.replace("{key}", "{key:path}")
        one = PathRoute(
            taken, endpoint, methods=sorted(methods), include_in_schema=False, name=path
        )
        assert one.methods is not None
        one.methods.intersection_update(methods)  # Starlette would answer HEAD where there is GET
        served.append(one)
    app.router.routes[:0] = served
    _describe(app, routes)
    put_around(app, partial(SignedAnswers, room=room, response_key=response_key))


def _describe(app: FastAPI, routes: Sequence[Route]) -> None:
    frame = app.openapi

    def openapi() -> dict[str, Any]:
        whole = frame()
        ours = described(routes)
        whole.setdefault("paths", {}).update(ours["paths"])
        components = whole.setdefault("components", {})
        for kind, named in ours["components"].items():
            components.setdefault(kind, {}).update(named)
        return whole

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
