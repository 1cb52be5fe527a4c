"""Kept connections to one of our own services: HTTP/1.1, one request at a time on each.

Every payment crosses here, so that nothing is done but to write the request and to parse the
answer (httptools). A general client spends more on a call than the wallet on a payment.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools

CONNECT_SECONDS = 1.0
KEPT_SECONDS = 30.0
"""Less than the other side keeps an idle connection, so that it is never closed under a request."""


class Silent(Exception):
    """The service could not be reached, or went away before it had answered."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered: its status and the bytes of its body."""

    status: int
    body: bytes


class _Connection(asyncio.Protocol):
    """One connection. A request that is given up closes it: its answer may still come."""

    def __init__(self) -> None:
        self.used_at = 0.0
        self.open = False
        self._answer: asyncio.Future[Reply] | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by their methods, not by their class.
        self._transport = cast(asyncio.Transport, transport)
        self.open = True

    def connection_lost(self, _error: Exception | None) -> None:
        self.open = False
        self._fail("the connection ended")

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            self.close()  # nothing was asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
            self._fail("not HTTP")

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        if self._answer is not None and not self._answer.done():
            reply = Reply(self._parser.get_status_code(), b"".join(self._parts))
            self._answer.set_result(reply)
        if not self._parser.should_keep_alive():
            self.close()
        self._parser = None

    async def ask(self, request: bytes) -> Reply:
        loop = asyncio.get_running_loop()
        self._answer, self._parts = loop.create_future(), []
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            if not self._answer.done() or self._answer.cancelled():
                self.close()
            self._answer = None
            self.used_at = loop.time()

    def close(self) -> None:
        self.open = False
        self._transport.close()

    def _fail(self, why: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Silent(why))


class Line:
    """As many connections to a service as requests are on their way, kept for the next ones."""

    def __init__(self, url: str, *, token: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None, "a service has an address"
        self.url = url
        self._host = address.hostname
        self._tls = address.scheme == "https"
        self._port = address.port or (443 if self._tls else 80)
        self._path = address.path.rstrip("/")
        self._head = (
            f"host: {address.netloc}\r\nauthorization: Bearer {token}\r\n"
            "content-type: application/json\r\naccept: application/json\r\n"
        )
        self._idle: list[_Connection] = []

    async def send(self, method: str, target: str, body: bytes = b"") -> Reply:
        """The answer to one request; never sent twice. Raises Silent. The deadline is the caller's.

        `target` is path and query as they go on the wire.
        """
        head = f"{method} {self._path}{target} HTTP/1.1\r\n{self._head}"
        request = f"{head}content-length: {len(body)}\r\n\r\n".encode("ascii") + body
        connection = self._kept() or await self._connected()
        reply = await connection.ask(request)
        if connection.open:
            self._idle.append(connection)
        return reply

    def _kept(self) -> _Connection | None:
        oldest = asyncio.get_running_loop().time() - KEPT_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.open and connection.used_at > oldest:
                return connection
            connection.close()
        return None

    async def _connected(self) -> _Connection:
        loop = asyncio.get_running_loop()
        tls = True if self._tls else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    _Connection, self._host, self._port, ssl=tls
                )
        except (OSError, TimeoutError) as error:
            raise Silent(f"no connection: {type(error).__name__}") from error
        return connection

    def close(self) -> None:
        """Close what is idle; what is on its way ends by itself."""
        while self._idle:
            self._idle.pop().close()
