"""A route of a town, as a table of bad input needs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.town_people import Said

Send = Callable[[bytes], Awaitable[Said]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An operation as OpenAPI names it; `good` is a body that would be taken, if it takes one."""

    name: str
    send: Send
    good: Mapping[str, Any] | None = None
