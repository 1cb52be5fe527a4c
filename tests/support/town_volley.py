"""Requests that are all on their way before the first is answered.

An HTTP client takes its time between two requests; here every connection is open and every byte
written beforehand, so that nothing but the other side decides who comes first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from tests.support.town_people import Letter, Said

OPEN_AT_ONCE = 50
"""A listening socket's queue is short."""

ANSWERED_WITHIN_SECONDS = 40.0


async def volley(letters: Sequence[Letter]) -> list[Said]:
    """Send all at the same moment, each on a connection of its own; answers in their order.

    Each says how long after that moment it came.
    """
    doors = asyncio.Semaphore(OPEN_AT_ONCE)
    streams = await asyncio.gather(*(_opened(letter, doors) for letter in letters))
    try:
        since = time.monotonic()
        for (_, writer), letter in zip(streams, letters, strict=True):
            writer.write(bytes_of(letter))

        async def answered(reader: asyncio.StreamReader) -> Said:
            said = await answer_of(reader)
            return replace(said, after=time.monotonic() - since)

        async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
            return await asyncio.gather(*(answered(reader) for reader, _ in streams))
    finally:
        for _, writer in streams:
            writer.close()


async def _opened(
    letter: Letter, doors: asyncio.Semaphore
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(letter.url)
    async with doors:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        # One exchange beforehand: the connection is accepted, not only queued.
        writer.write(f"GET /healthz HTTP/1.1\r\nhost: {address.netloc}\r\n\r\n".encode())
        assert (await answer_of(reader)).status == 200
    return reader, writer


def bytes_of(letter: Letter) -> bytes:
    """A request as HTTP/1.1 writes it."""
    address = urlsplit(letter.url)
    target = f"{address.path}?{address.query}" if address.query else address.path
    headers = {"host": address.netloc, "content-length": str(len(letter.body)), **letter.headers}
    lines = [f"{letter.method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + letter.body


async def answer_of(reader: asyncio.StreamReader) -> Said:
    """The next answer on a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers["content-length"]))
    return Said(status=int(head[0].split()[1]), headers=headers, body=body)
