"""What our other services tell of an id, played at the HTTP boundary."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx
import respx

from contracts.internal import History, HistoryStep


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFor:
    """A question for a history, as it came."""

    service: str
    name: str
    caller: str | None
    also: tuple[str, ...]


class Histories:
    """`known` is told whatever is asked, by service; who is `silent` never answers."""

    def __init__(self, **urls: str) -> None:
        self._urls = urls
        self.known: dict[str, History] = {}
        self.silent: set[str] = set()
        self.asked: list[AskedFor] = []

    def tells(self, service: str, *steps: HistoryStep, **more: Any) -> None:
        self.known[service] = History(steps=steps, **more)

    def install(self, router: respx.Router) -> None:
        for service, url in self._urls.items():
            router.get(url__regex=rf"{url}/internal/history/.*").mock(
                side_effect=self._answering(service)
            )

    def _answering(self, service: str) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
        async def answer(request: httpx.Request) -> httpx.Response:
            path = request.url.raw_path.decode().partition("?")[0]
            self.asked.append(
                AskedFor(
                    service=service,
                    name=unquote(path.partition("/internal/history/")[2]),
                    caller=request.url.params.get("caller"),
                    also=tuple(request.url.params.get_list("also")),
                )
            )
            if service in self.silent:
                await asyncio.Event().wait()
            found = self.known.get(service, History(steps=()))
            return httpx.Response(200, text=found.model_dump_json())

        return answer
