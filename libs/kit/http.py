"""The HTTP frame of any service: problems, limits, trace context, metrics, health, offline docs.

    around               what a service puts around everything (answers are signed)
    Frame                trace, metrics, deadline, size and shape of the body, last-resort 500
    direct               routes asked a thousand times a second, plain ASGI by method and path
    FastAPI              all others; what they raise becomes problem+json, never a traceback

A body reaches the routes only when it is small enough, UTF-8, not deep, and free of characters
that no database can store.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kit import tracing
from kit.answers import Answer, problem
from kit.frame import PROBLEM, Direct, Frame, Internal, Straight, header
from kit.health import Health
from kit.metrics import exposition
from kit.refusal import Forbidden, Invalid, NotFound, Refusal, TooLarge, Unavailable


class MethodNotAllowed(Refusal):
    """This path does not know that method."""

    status = 405
    title_zh = "不支持该请求方法"
    kept = False


class Problem(BaseModel):
    """A refusal as it is answered (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    title_zh: str
    status: int
    code: str
    detail: str
    instance: str
    retryable: bool


def respond(answer: Answer) -> Response:
    """An answer as an HTTP response, its text untouched."""
    headers: dict[str, str] = {}
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    if answer.retry_after is not None:
        headers["Retry-After"] = str(answer.retry_after)
    return Response(
        answer.body,
        status_code=answer.status,
        media_type=PROBLEM if answer.status >= 400 else "application/json",
        headers=headers,
    )


def refuse(refusal: Refusal, path: str) -> Response:
    """A refusal as an HTTP response."""
    response = respond(problem(refusal, path))
    if isinstance(refusal, TooLarge):
        # What is left of the body will not be read.
        response.headers["Connection"] = "close"
    return response


def service_token(expected: str) -> Callable[[Request], Awaitable[None]]:
    """A dependency that lets only callers with this bearer token through."""
    check_token = token_check(expected)

    async def check(request: Request) -> None:
        check_token(request.scope)

    return check


def token_check(expected: str) -> Callable[[Scope], None]:
    """What raises Forbidden for a request without this bearer token."""
    wanted = f"Bearer {expected}".encode()

    def check(scope: Scope) -> None:
        given = (header(scope, b"authorization") or "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, wanted):
            raise Forbidden("the service token is missing or wrong")

    return check


def serve_directly(app: FastAPI, method: str, path: str, route: ASGIApp) -> None:
    """Answer this method on exactly this path in front of FastAPI's machinery."""
    app.state.direct[method, path] = Straight(path, route)


def served(app: FastAPI) -> ASGIApp:
    """What a server is to call. Without an OpenTelemetry SDK, FastAPI's look for one is spared."""
    if tracing.INSTRUMENTED:
        return app
    stack = app.build_middleware_stack()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = app
        await stack(scope, receive, send)

    return serve


def put_around(app: FastAPI, wrap: Callable[[ASGIApp], ASGIApp]) -> None:
    """Wrap everything that the application does, the frame included."""
    app.state.around.append(wrap)


def create_app(
    name: str,
    *,
    health: Health,
    description: str = "",
    version: str = "1",
    most_bytes: int = 1 << 20,
    deadline_seconds: float = 10.0,
) -> FastAPI:
    """An application with /healthz /readyz /metrics /openapi.json /docs and nothing else yet.

    `most_bytes` limits a request's body, `deadline_seconds` the time until it is answered.
    """
    app = FastAPIOffline(
        title=name,
        description=description,
        version=version,
        redoc_url=None,
        redirect_slashes=False,
        responses={
            "default": {
                "description": "A refusal",
                "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                "model": Problem,
            }
        },
    )
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    _add_health_routes(app, health)
    _describe_problems_once(app)
    _frame(app, most_bytes=most_bytes, deadline_seconds=deadline_seconds)
    return app


def _frame(app: FastAPI, *, most_bytes: int, deadline_seconds: float) -> None:
    app.state.direct = {}
    app.state.around = []
    beyond = app.build_middleware_stack

    def build() -> ASGIApp:
        outermost = beyond()
        assert isinstance(outermost, ServerErrorMiddleware)  # the frame does what it does
        stack: ASGIApp = Frame(
            Direct(app.state.direct, outermost.app),
            most_bytes=most_bytes,
            deadline_seconds=deadline_seconds,
        )
        for wrap in app.state.around:
            stack = wrap(stack)
        return stack

    # FastAPI's own middleware would all stand behind its stack of error handlers.
    setattr(app, "build_middleware_stack", build)  # noqa: B010 -- mypy forbids assigning to it


def _describe_problems_once(app: FastAPI) -> None:
    """FastAPI lists a response model under application/json too; a refusal never is."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        document = written()
        for path in document["paths"].values():
            for operation in path.values():
                content = operation["responses"].get("default", {}).get("content", {})
                content.pop("application/json", None)
        return document

    # Replacing the method is FastAPI's own way of changing the document.
    setattr(app, "openapi", openapi)  # noqa: B010 -- mypy forbids assigning to a method


def _add_health_routes(app: FastAPI, health: Health) -> None:
    async def healthz(_: Request) -> Response:
        silent = health.silent()
        return JSONResponse(
            {"alive": not silent, "silent_seconds": silent, "loops": health.loops()},
            status_code=503 if silent else 200,
        )

    async def readyz(_: Request) -> Response:
        missing = await health.missing()
        return JSONResponse(
            {"ready": not missing, "missing": missing}, status_code=503 if missing else 200
        )

    async def metrics(_: Request) -> Response:
        text, media_type = exposition()
        return Response(text, media_type=media_type)

    for path, endpoint in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
        app.add_route(path, endpoint, include_in_schema=False)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return refuse(error, request.url.path)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return refuse(Invalid(explain(error.errors())), request.url.path)


def explain(errors: Any) -> str:
    """Where a request is wrong and why, in a line, without repeating what it said."""
    said = []
    for error in list(errors)[:5]:
        where = ".".join(str(step) for step in error["loc"])
        said.append(f"{where}: {error['msg']}")
    return "; ".join(said)[:500]


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known: dict[int, type[Refusal]] = {403: Forbidden, 404: NotFound, 405: MethodNotAllowed}
    known |= {413: TooLarge, 503: Unavailable}
    default = Invalid if error.status_code < 500 else Internal
    response = refuse(known.get(error.status_code, default)(), request.url.path)
    allow = (error.headers or {}).get("Allow")
    if allow is not None:
        response.headers["Allow"] = allow
    return response
