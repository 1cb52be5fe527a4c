"""A process's beginning and end: settings read once, failures told without showing secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog
import uvloop
from pydantic import ValidationError

from kit.http import explain

log = structlog.get_logger("kit.launch")

T = TypeVar("T")


def read_settings(settings: Callable[[], T]) -> T:
    """The settings from the environment. Ends the process, naming what is wrong, not its value."""
    try:
        return settings()
    except ValidationError as error:
        raise SystemExit(f"settings: {explain(error.errors())}") from None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own; what it lets out is logged, and exit 1."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except Exception as error:  # The log hides what a bare traceback would show.
        log.error("process.failed", exc_info=error)
        raise SystemExit(1) from None
