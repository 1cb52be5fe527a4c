"""A proxy before PostgreSQL that can lose the answer to a COMMIT, or the COMMIT itself (F07).

answer   COMMIT goes through, the server says that it is done, the client never hears of it
commit   COMMIT never arrives: the server rolls back, and to the client it looks the same
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit

from deploy.local.ports import LOOPBACK

COMMIT = b"COMMIT;\x00"
"""The client's statement, alone; a transaction that begins may say READ COMMITTED."""

DONE = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""The server's CommandComplete."""

READ_AT_ONCE = 1 << 16
SERVER_ANSWERS_WITHIN_SECONDS = 10.0


class Loses(StrEnum):
    ANSWER = "answer"
    COMMIT = "commit"


class Proxy:
    """`lost` counts, by kind, the faults that happened; `dsn` leads through it."""

    def __init__(self, dsn: str) -> None:
        self._target = urlsplit(dsn)
        self._armed: list[Loses] = []
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.lost = dict.fromkeys(Loses, 0)
        self.dsn = ""

    def arm(self, what: Loses, times: int = 1) -> None:
        """Lose the next so many, whoever commits."""
        self._armed += [what] * times

    @property
    def armed(self) -> int:
        return len(self._armed)

    async def begin(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        port = self._server.sockets[0].getsockname()[1]
        user, at, _ = self._target.netloc.rpartition("@")
        self.dsn = urlunsplit(self._target._replace(netloc=f"{user}{at}{LOOPBACK}:{port}"))

    async def end(self) -> None:
        assert self._server is not None
        self._server.close()
        for each in self._connections:
            each.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            there = await asyncio.open_connection(self._target.hostname, self._target.port)
            await _Through(self, (reader, writer), there).run()
        except (OSError, EOFError):
            pass  # One of the two hung up, which is none of our business.
        finally:
            writer.close()
            self._connections.discard(task)

    def next_to_lose(self) -> Loses | None:
        return self._armed.pop(0) if self._armed else None


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Through:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: Streams, server: Streams) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._loses: asyncio.Event = asyncio.Event()

    async def run(self) -> None:
        ways = [asyncio.create_task(self._there()), asyncio.create_task(self._back())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._server[1].close()

    async def _there(self) -> None:
        while said := await self._client[0].read(READ_AT_ONCE):
            lost = self._proxy.next_to_lose() if COMMIT in said else None
            if lost is Loses.COMMIT:
                self._proxy.lost[lost] += 1
                return
            if lost is Loses.ANSWER:
                self._loses.set()
            self._server[1].write(said)
            await self._server[1].drain()

    async def _back(self) -> None:
        heard = b""
        while said := await self._server[0].read(READ_AT_ONCE):
            if self._loses.is_set():
                heard += said
                if DONE in heard:
                    self._proxy.lost[Loses.ANSWER] += 1
                    return
                continue
            self._client[1].write(said)
            await self._client[1].drain()


@asynccontextmanager
async def proxy_before(dsn: str) -> AsyncIterator[Proxy]:
    """A proxy before the database of this DSN."""
    proxy = Proxy(dsn)
    await proxy.begin()
    try:
        yield proxy
    finally:
        await proxy.end()
