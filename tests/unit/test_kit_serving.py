"""The server's connections: an ordinary answer is one write, all others are as uvicorn's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from kit.serving import Connection, server_config


class Wire(asyncio.Transport):
    """Keeps what is written; nobody reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False
        self.changed = asyncio.Event()

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        self.changed.set()

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True
        self.changed.set()

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def answered(app: ASGIApp, request: bytes, enough: Callable[[Wire], bool]) -> Wire:
    """What is written in answer to these bytes, once it is enough."""
    config = server_config(app, host="127.0.0.1", port=0, drain_seconds=1)
    config.load()
    connection, wire = Connection(config, ServerState(), {}), Wire()
    connection.connection_made(wire)
    connection.data_received(request)
    async with asyncio.timeout(5):
        while not enough(wire):
            await wire.changed.wait()
            wire.changed.clear()
    connection.connection_lost(ConnectionResetError())
    return wire


def says(*parts: bytes, length: int | None = None, header: bytes = b"text/plain") -> ASGIApp:
    """An application that answers every request with these parts of a body."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", header)]
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        for n, part in enumerate(parts, start=1):
            more = n < len(parts)
            await send({"type": "http.response.body", "body": part, "more_body": more})

    return app


def ends_with(text: bytes) -> Callable[[Wire], bool]:
    return lambda wire: b"".join(wire.written).endswith(text)


GET = b"GET /a%20b?q=1 HTTP/1.1\r\nhost: x\r\n\r\n"


async def test_an_ordinary_answer_is_written_at_once() -> None:
    wire = await answered(says(b"done", length=4), GET, ends_with(b"done"))
    assert wire.written == [
        b"HTTP/1.1 201 Created\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\ndone"
    ]
    assert not wire.closed


@pytest.mark.parametrize(
    ("app", "request_", "end"),
    [
        (says(b"do", b"ne"), GET, b"2\r\ndo\r\n2\r\nne\r\n0\r\n\r\n"),
        (says(b"done"), GET, b"4\r\ndone\r\n0\r\n\r\n"),
        (says(b"", length=4), GET.replace(b"GET", b"HEAD"), b"content-length: 4\r\n\r\n"),
    ],
)
async def test_streams_and_heads_are_answered_as_ever(
    app: ASGIApp, request_: bytes, end: bytes
) -> None:
    wire = await answered(app, request_, ends_with(end))
    assert wire.written[0].startswith(b"HTTP/1.1 201 Created\r\n")


async def test_a_caller_that_wants_to_go_is_let_go() -> None:
    request = GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    wire = await answered(says(b"done", length=4), request, lambda wire: wire.closed)
    assert b"connection: close\r\n" in wire.written[0]
    assert wire.written[-1].endswith(b"done")


async def test_requests_sent_at_once_are_answered_in_turn() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        text = scope["query_string"] + (await receive())["body"]
        await says(text, length=len(text))(scope, receive, send)

    both = (
        b"POST /?1= HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\none"
        b"POST /?2= HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\ntwo"
    )
    wire = await answered(app, both, ends_with(b"2=two"))
    assert [text.rpartition(b"\r\n")[2] for text in wire.written] == [b"1=one", b"2=two"]


async def test_path_and_query_arrive_as_they_were_sent() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await says(b"done", length=4)(scope, receive, send)

    await answered(app, GET, ends_with(b"done"))
    [scope] = seen
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("GET", "/a b", b"/a%20b")
    assert (scope["query_string"], scope["http_version"]) == (b"q=1", "1.1")


async def test_a_header_that_would_begin_another_is_never_sent() -> None:
    app = says(b"done", length=4, header=b"text/plain\r\nset-cookie: a=b")
    wire = await answered(app, GET, lambda wire: wire.closed)
    assert wire.written == []


async def test_what_breaks_before_its_body_is_an_error_of_ours() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 201, "headers": []})
        raise LookupError("the body was lost")

    wire = await answered(app, GET, ends_with(b"Internal Server Error"))
    assert wire.written[0].startswith(b"HTTP/1.1 500 ")
