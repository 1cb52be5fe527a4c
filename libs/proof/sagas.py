"""I6: every saga ends: done, compensated, or parked with a reason for a clerk."""

from __future__ import annotations

from collections.abc import Iterable

from proof.rows import Saga

WITHIN_SECONDS = 60.0
"""The longest wait between two asks on a local stack and one sweep, several times over."""


def unended(sagas: Iterable[Saga], within: float = WITHIN_SECONDS) -> list[str]:
    """What nobody will move on, and what has been due for more than `within` seconds."""
    return [_told(saga) for saga in sagas if saga.parked is None and _is_stuck(saga, within)]


def _is_stuck(saga: Saga, within: float) -> bool:
    return saga.waits_for is None or saga.seconds > within


def _told(saga: Saga) -> str:
    if saga.waits_for is None:
        return f"{saga.kind} {saga.name} waits and nobody will ever move it on"
    return f"{saga.kind} {saga.name} has waited for {saga.waits_for} for {saga.seconds:.0f} s"
