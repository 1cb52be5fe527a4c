"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

T = TypeVar("T")

SETTLED_SECONDS = 10.0
"""Conversations with provinces settle within this on a local stack (contract §1)."""


def until(ask: Callable[[], T | None], what: str, seconds: float = SETTLED_SECONDS) -> T:
    """The first answer that is neither None nor False; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = Event()
    while True:
        found = ask()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        pause.wait(0.05)
