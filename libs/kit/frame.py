"""What surrounds every request: trace, deadline, a body that is small and whole, named failures.

Plain ASGI, because Starlette's base class costs too much. Beneath it the routes that are asked a
thousand times a second stand in a dictionary in front of FastAPI, whose own frame costs more than
all that they do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit import tracing
from kit.answers import Answer, problem
from kit.json_shape import check_shape
from kit.metrics import SECONDS
from kit.refusal import Invalid, Refusal, TooLarge, Unavailable

log = structlog.get_logger("kit.http")

REQUESTS = Counter("http_requests_total", "Requests answered", ["route", "method", "status"])
DURATION = Histogram(
    "http_request_seconds", "From first byte to answer", ["route"], buckets=SECONDS
)

PROBLEM = "application/problem+json"
_JSON_TYPE, _PROBLEM_TYPE = (
    (b"content-type", b"application/json"),
    (b"content-type", PROBLEM.encode()),
)

MOST_DISCARDED_BYTES = 32 << 20
"""Read and thrown away beyond the limit: who is cut off while sending never reads the refusal."""


class Internal(Refusal):
    """Something is wrong on our side."""

    status = 500
    title_zh = "系统内部错误"
    kept = False


# Looking a label up costs more than counting.
@cache
def _requests(route: str, method: str, status: int) -> Counter:
    return REQUESTS.labels(route, method, status)


@cache
def _duration(route: str) -> Histogram:
    return DURATION.labels(route)


async def send_answer(
    send: Send, answer: Answer, *added: tuple[bytes, bytes], connection_ends: bool = False
) -> None:
    """An answer as an HTTP response, its text untouched; `added` are further headers."""
    body = answer.body.encode()
    headers = [
        _JSON_TYPE if answer.status < 400 else _PROBLEM_TYPE,
        (b"content-length", str(len(body)).encode()),
        *added,
    ]
    if answer.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    if answer.retry_after is not None:
        headers.append((b"retry-after", str(answer.retry_after).encode()))
    if connection_ends:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, body: bytes) -> None:
    """200 with this JSON text."""
    headers = [_JSON_TYPE, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class Straight:
    """A route in front of all others."""

    path: str
    app: ASGIApp


class Direct:
    """Routes by method and exact path in front of an application that knows all others."""

    def __init__(self, routes: Mapping[tuple[str, str], Straight], beyond: ASGIApp) -> None:
        self._routes = routes
        self._beyond = beyond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            await self._beyond(scope, receive, send)
            return
        scope["path_params"] = {}
        scope["route"] = route
        await route.app(scope, receive, send)


class Frame:
    """`most_bytes` limits a request's body, `deadline_seconds` the time until it is answered."""

    def __init__(self, app: ASGIApp, *, most_bytes: int, deadline_seconds: float) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._deadline_seconds = deadline_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0
        with tracing.continued(header(scope, b"traceparent")) as traceparent:

            async def sending(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    carried = (b"traceparent", traceparent.encode())
                    message["headers"] = [*message["headers"], carried]
                await send(message)

            try:
                refusal = await self._answer(scope, receive, sending)
            except Exception as error:
                # Whatever a route let through is ours to answer for; the caller learns nothing.
                log.error("request.failed", path=_route(scope), exc_info=error)
                refusal = Internal()
                if status:
                    raise
            if refusal is not None and not status:
                # Of what is too large the rest will not be read.
                ends = isinstance(refusal, TooLarge)
                await send_answer(sending, problem(refusal, scope["path"]), connection_ends=ends)
        route = _route(scope)
        _requests(route, scope["method"], status).inc()
        _duration(route).observe(time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Refusal | None:
        try:
            async with asyncio.timeout(self._deadline_seconds) as deadline:
                if "\0" in scope["path"] or b"%00" in scope["query_string"]:
                    return Invalid("the address holds a NUL character")
                body = await self._body(scope, receive)
                if body is None:
                    return None
                await self._app(scope, _once(body, receive), send)
        except Refusal as refusal:
            return refusal
        except TimeoutError:
            if not deadline.expired():
                raise
            log.warning("request.late", path=_route(scope))
            return Unavailable("the deadline of the request has passed")
        return None

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body, checked; None when the caller went away before sending it."""
        length = int(header(scope, b"content-length") or 0)
        body = b""
        seen = 0
        more = True
        while more:
            if max(length, seen) > self._most_bytes + MOST_DISCARDED_BYTES:
                raise TooLarge(f"a body may have {self._most_bytes} bytes")
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            seen += len(part)
            more = message.get("more_body", False)
            if max(length, seen) <= self._most_bytes:
                body = body + part if body else part
        if seen > self._most_bytes:
            raise TooLarge(f"a body may have {self._most_bytes} bytes")
        if body:
            check_shape(body)
        return body


def _once(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body in one message, then whatever the server has."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


def header(scope: Scope, name: bytes) -> str | None:
    """A header's value; the first, where there are several."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None


def _route(scope: Scope) -> str:
    """The route's template, so that no id becomes a label."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    route = context or scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or "unknown"
