"""The server: uvicorn, whose connections write an answer in one piece.

Its own writes head and body apart: a system call more for each answer here, a wake-up more where
it is read, and two regular expressions for every header. Whatever is out of the ordinary (streams,
HEAD, the end of a connection) is left to it.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

import httptools
import uvicorn
from starlette.types import ASGIApp, Message
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

KEPT_SECONDS = 60
"""How long a connection may be idle: longer than our own clients keep one."""

_APART = frozenset([b"connection", b"transfer-encoding"])


class Exchange(RequestResponseCycle):
    """A request and its answer."""

    _start: Message | None = None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and not self.response_started:
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if self._sent_whole(start, message):
                return
            await super().send(start)  # type: ignore[arg-type]  # the same, by another's name
        await super().send(message)

    def _sent_whole(self, start: Message, message: Message) -> bool:
        """Write the answer if these two are all of it; whether they were."""
        if self.disconnected or self.flow.write_paused or not self.keep_alive:
            return False
        if message.get("more_body", False) or self.scope["method"] == "HEAD":
            return False
        headers = [*self.default_headers, *start["headers"]]
        body, length = message.get("body", b""), None
        parts = [STATUS_LINE[start["status"]]]
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name in _APART:
                return False
            parts += (name, b": ", value, b"\r\n")
        head = b"".join(parts)
        if length != len(body) or head.count(b"\n") != len(headers) + 1 or b"\0" in head:
            return False
        self.response_started = self.response_complete = True
        self.transport.write(b"".join((head, b"\r\n", body)))
        self.message_event.set()
        self.on_response()
        return True


class Connection(HttpToolsProtocol):
    """A caller's connection; what it asks is answered in turn."""

    def on_headers_complete(self) -> None:
        parser, scope = self.parser, self.scope
        scope["method"] = parser.get_method().decode("ascii")
        version = parser.get_http_version()
        scope["http_version"] = version
        address = httptools.parse_url(self.url)
        path = address.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = address.path
        scope["query_string"] = address.query or b""
        before = self.cycle
        self.cycle = Exchange(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))


def server_config(app: ASGIApp, *, host: str, port: int, drain_seconds: int) -> uvicorn.Config:
    """How our services are served; on the way out requests have `drain_seconds` to finish."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEPT_SECONDS,
        timeout_graceful_shutdown=drain_seconds,
    )
