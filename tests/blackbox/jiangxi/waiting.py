"""Waiting for what the platform promises within a time, by asking until it is so."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

SECONDS = 30.0
"""Three times what a local stack promises for a conversation: the machine may be a slow one."""


def comes_true(question: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Ask until the answer is truthy; fails with `what` after `seconds`."""
    deadline, pause = time.monotonic() + seconds, Event()
    while not question():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        pause.wait(0.05)
