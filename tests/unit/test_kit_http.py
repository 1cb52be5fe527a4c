"""The frame around every request: what goes wrong is a problem, named, and tells nothing secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import orjson
import pytest
import structlog
from fastapi import Depends
from pydantic import BaseModel, ConfigDict
from structlog.testing import capture_logs
from structlog.typing import EventDict

from kit.answers import answer
from kit.health import Health, NotReady
from kit.http import Problem, create_app, respond, service_token
from kit.refusal import Busy, WrongState
from kit.tracing import current_trace_id
from tests.support.town_until import until

TOKEN = "t" * 16
TRACE = "0123456789abcdef0123456789abcdef"


class Thing(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    amount: int
    name: str = ""


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def client(health: Health) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("things", health=health, most_bytes=1_000, deadline_seconds=1.0)

    @app.post("/things/{number}")
    async def take(number: int, thing: Thing) -> dict[str, Any]:
        return {"number": number, "amount": thing.amount}

    @app.get("/things")
    async def show() -> Any:
        return respond(answer(200, {"trace": current_trace_id()}))

    @app.get("/wrong")
    async def wrong() -> None:
        raise WrongState("it is closed")

    @app.get("/busy")
    async def busy() -> None:
        raise Busy

    @app.get("/broken")
    async def broken() -> None:
        raise AssertionError("the books do not balance")

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(5)

    @app.get("/secret", dependencies=[Depends(service_token(TOKEN))])
    async def secret() -> dict[str, str]:
        return {}

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://things") as client:
        yield client


def _problem(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = response.json()
    Problem.model_validate(said)
    assert said["status"] == response.status_code
    assert said["title_zh"]
    return said


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nowhere", None, 404, "not-found"),
        ("DELETE", "/things/1", None, 405, "method-not-allowed"),
        ("GET", "/wrong", None, 409, "wrong-state"),
        ("GET", "/busy", None, 429, "busy"),
        ("GET", "/slow", None, 503, "unavailable"),
        ("GET", "/secret", None, 403, "forbidden"),
        ("POST", "/things/x", b'{"amount":1}', 422, "invalid"),
        ("POST", "/things/1", b"", 422, "invalid"),
        ("POST", "/things/1", b"{", 422, "invalid"),
        ("POST", "/things/1", b"[]", 422, "invalid"),
        ("POST", "/things/1", b'{"amount":"1"}', 422, "invalid"),
        ("POST", "/things/1", b'{"amount":1.0}', 422, "invalid"),
        ("POST", "/things/1", b'{"amount":1e400}', 422, "invalid"),
        ("POST", "/things/1", b'{"amount":NaN}', 422, "invalid"),
        ("POST", "/things/1", b'{"amount":true}', 422, "invalid"),
        ("POST", "/things/1", b'{"amount":1,"more":1}', 422, "invalid"),
        ("POST", "/things/1", b'{"amount":1,"name":"\xff"}', 422, "invalid"),
        ("POST", "/things/1", b'{"amount":1,"name":"\\u0000"}', 422, "invalid"),
        ("POST", "/things/1", b'{"amount":1,"name":"\\ud800"}', 422, "invalid"),
        ("POST", "/things/1", b"[" * 400, 422, "invalid"),
        ("POST", "/things/1", '{"amount":1}'.encode("utf-16"), 422, "invalid"),
        ("POST", "/things/1", b'{"amount":%s}' % (b"9" * 5_000), 413, "too-large"),
        ("POST", "/things/1", b" " * 1_001, 413, "too-large"),
        ("GET", "/things%00", None, 422, "invalid"),
        ("GET", "/things?a=%00", None, 422, "invalid"),
    ],
)
async def test_whatever_is_wrong_is_a_problem_with_a_name(  # noqa: PLR0917 -- passed by name
    client: httpx.AsyncClient, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    response = await client.request(method, path, content=body, headers=JSON)
    said = _problem(response)
    assert (response.status_code, said["code"]) == (status, code)
    assert said["instance"] == httpx.URL(path).path
    assert ("retry-after" in response.headers) == said["retryable"] == (status in (429, 503))


async def test_a_good_request_is_answered(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post("/things/1", content=b'{"amount":12}', headers=JSON)
    assert response.json() == {"number": 1, "amount": 12}


async def test_a_body_in_pieces_is_limited_too(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 100

    response = await client.post("/things/1", content=pieces(), headers=JSON)
    assert _problem(response)["code"] == "too-large"


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """What is logged, whatever other tests wanted to see of it."""
    before = structlog.get_config()
    structlog.reset_defaults()
    with capture_logs() as lines:
        yield lines
    structlog.configure(**before)


async def test_a_broken_invariant_is_logged_and_the_caller_learns_nothing(
    client: httpx.AsyncClient, logged: list[EventDict]
) -> None:
    response = await client.get("/broken")
    said = _problem(response)
    assert (response.status_code, said["code"]) == (500, "internal")
    assert "books" not in response.text
    [failed] = [line for line in logged if line["event"] == "request.failed"]
    assert failed["path"] == "/broken"
    assert isinstance(failed["exc_info"], AssertionError)


async def test_the_trace_goes_on_in_headers_and_never_in_a_body(
    client: httpx.AsyncClient,
) -> None:
    given = {"traceparent": f"00-{TRACE}-0123456789abcdef-01"}
    response = await client.get("/things", headers=given)
    assert response.json() == {"trace": TRACE}
    carried = response.headers["traceparent"].split("-")
    assert carried[1] == TRACE
    assert carried[2] != "0123456789abcdef"

    for nonsense in (
        "",
        "00-" + "0" * 32 + "-0123456789abcdef-01",
        "x" * 55,
        "ff" + given["traceparent"][2:],
    ):
        response = await client.get("/things", headers={"traceparent": nonsense})
        assert len(response.json()["trace"]) == 32
        assert response.json()["trace"] != TRACE

    refused = await client.get("/wrong", headers=given)
    assert TRACE not in refused.text
    assert TRACE in refused.headers["traceparent"]


async def test_only_the_right_token_opens(client: httpx.AsyncClient) -> None:
    for wrong in ("", "Bearer ", TOKEN, f"bearer {TOKEN}", f"Bearer {TOKEN}x", "Bearer \u00e4"):
        response = await client.get(
            "/secret", headers=[(b"authorization", wrong.encode("latin-1"))]
        )
        assert response.status_code == 403
    right = await client.get("/secret", headers={"authorization": f"Bearer {TOKEN}"})
    assert right.status_code == 200


async def test_health_names_the_loop_that_fell_silent(
    client: httpx.AsyncClient, health: Health
) -> None:
    health.loop("quick", within=60)
    slow = health.loop("slow", within=0.5)
    assert (await client.get("/healthz")).status_code == 200

    async def silent() -> httpx.Response | None:
        response = await client.get("/healthz")
        return response if response.status_code == 503 else None

    response = await until(silent, "the slow loop is missed")
    assert list(response.json()["silent_seconds"]) == ["slow"]
    slow.beat()
    assert (await client.get("/healthz")).json()["alive"]


async def test_readiness_names_what_is_missing_and_ends_with_draining(
    client: httpx.AsyncClient, health: Health
) -> None:
    async def there() -> None:
        return None

    async def gone() -> None:
        raise ConnectionRefusedError("10.0.0.1 is not to be told")

    async def behind() -> None:
        raise NotReady("cell 0 is not migrated")

    health.require("there", there)
    assert (await client.get("/readyz")).status_code == 200
    health.require("gone", gone)
    health.require("behind", behind)
    response = await client.get("/readyz")
    assert response.status_code == 503
    missing = {"gone": "ConnectionRefusedError", "behind": "cell 0 is not migrated"}
    assert response.json() == {"ready": False, "missing": missing}
    health.draining = True
    assert (await client.get("/readyz")).json()["missing"] == {"process": "draining"}


async def test_requests_are_counted_by_template_and_never_by_id(
    client: httpx.AsyncClient,
) -> None:
    await client.post("/things/4711", json={"amount": 1})
    await client.get("/nowhere/4711")
    text = (await client.get("/metrics")).text
    assert 'http_requests_total{method="POST",route="/things/{number}",status="200"}' in text
    assert "4711" not in text


async def test_the_document_promises_problems_and_the_docs_need_no_network(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).json()
    for path in document["paths"].values():
        for operation in path.values():
            assert list(operation["responses"]["default"]["content"]) == [
                "application/problem+json"
            ]
            assert "422" not in operation["responses"]
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "://" not in page.text.replace("http://www.w3.org", "")
    assert (await client.head("/static-offline-docs/swagger-ui-bundle.js")).status_code == 200


async def test_a_replay_keeps_its_bytes_and_says_what_it_is() -> None:
    kept = answer(201, {"b": 1, "a": "é"})
    response = respond(type(kept)(status=201, body=kept.body, replayed=True))
    assert response.body == kept.body.encode()
    assert response.headers["idempotency-replayed"] == "true"
    assert orjson.loads(response.body) == {"b": 1, "a": "é"}
