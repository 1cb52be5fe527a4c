"""A door with its lock taken out: what a race test must be seen to fail with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit.perform import Door
from kit.transaction import Transaction
from kit.work import Job


class NoLock(Door):
    async def _lock(self, tx: Transaction, jobs: Sequence[Job]) -> list[Any]:
        return []
