"""Room: who could not be answered in time is refused at once, so that the others are.

Work for a caller whose deadline passes meanwhile is lost work: a process that lets everybody in
answers nobody. What can be done in time depends on the machine and on what is asked, so it is not
counted beforehand but seen: when several of those inside have waited long, the next would too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from kit.refusal import Busy

FEW = 64
"""So many that wait long may be slow for reasons of their own: a decoder, a province."""

PATIENCE_SECONDS = 1.0
"""Of the five until an answer has to be there."""


@dataclass(slots=True, kw_only=True)
class Room:
    """The requests inside a process, over all its routes: at most `most`, whatever they wait."""

    most: int
    clock: Callable[[], float] = time.monotonic
    _since: dict[int, float] = field(default_factory=dict)
    _last: int = 0

    def enter(self) -> int:
        """A seat, to be left again. Raises Busy."""
        if self.is_full():
            raise Busy
        self._last += 1
        self._since[self._last] = self.clock()
        return self._last

    def is_full(self) -> bool:
        """Whether whoever comes now is refused."""
        inside = len(self._since)
        return inside >= self.most or (inside > FEW and self._is_late(self.clock()))

    def leave(self, seat: int) -> None:
        del self._since[seat]

    def _is_late(self, now: float) -> bool:
        # Seats are in the order of their numbers: of those inside, this one came after FEW others.
        came = next(islice(self._since.values(), FEW, None))
        return now - came > PATIENCE_SECONDS
