"""The stack of the black-box stories, for what can only be seen of a running service."""

from __future__ import annotations

from tests.blackbox.conftest import stack, world

__all__ = ["stack", "world"]
