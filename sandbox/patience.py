"""Calls that end well: repeated, with the same key and the same bytes, until they are answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

SOONEST_SECONDS, LATEST_SECONDS = 0.05, 1.0


class NotAnswered(Exception):
    """No final answer came in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A final answer, its text untouched, and at which try it came."""

    status: int
    text: str
    replayed: bool
    tries: int

    def json(self) -> Any:
        return orjson.loads(self.text)

    @property
    def code(self) -> str:
        """The name of a refusal; empty for a success."""
        return str(self.json()["code"]) if self.status >= 400 else ""


def reply_of(response: httpx.Response, tries: int) -> Reply:
    return Reply(
        status=response.status_code,
        text=response.text,
        replayed=response.headers.get("idempotency-replayed") == "true",
        tries=tries,
    )


def is_final(response: httpx.Response) -> bool:
    """Whether asking again would change nothing: neither busy, nor running, nor unknown."""
    if response.status_code == 429 or response.status_code >= 500:
        return False
    if response.status_code == 409:
        return not response.json().get("retryable", False)
    return True


async def insist(
    send: Callable[[], Awaitable[httpx.Response]], *, within_seconds: float
) -> tuple[httpx.Response, int]:
    """Send until the answer is final; it, and how many tries it took. Raises NotAnswered.

    A timeout, a reset and a 5xx say nothing about what happened: the same key settles it.
    """
    deadline = time.monotonic() + within_seconds
    pause = SOONEST_SECONDS
    tries = 0
    while True:
        tries += 1
        try:
            response = await send()
            if is_final(response):
                return response, tries
            said = f"{response.status_code} {response.text[:200]}"
        except httpx.TransportError as error:
            said = type(error).__name__
        if time.monotonic() > deadline:
            raise NotAnswered(f"within {within_seconds:g} s; last: {said}")
        await asyncio.sleep(pause)
        pause = min(2 * pause, LATEST_SECONDS)
