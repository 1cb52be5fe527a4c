"""How long a silent province is asked again before somebody has to ask by other means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Insistence:
    """How a silent fund is asked about a premium: each time after twice as long, for ever.

    None waits longer than `longest_seconds`.
    """

    first_seconds: float = 10.0
    longest_seconds: float = 3_600.0

    def after(self, times: int) -> timedelta:
        """How long a fund that was asked so many times may keep silent until it is asked again."""
        assert times >= 1
        # A power of two that is larger than any wait needs no larger one.
        doubled = self.first_seconds * 2.0 ** min(times - 1, 64)
        return timedelta(seconds=min(doubled, self.longest_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The second ask comes `first_seconds` after the first; each later one waits twice as long.

    None waits longer than `longest_seconds`. After `most_asks` an order is for a clerk.
    """

    first_seconds: float
    longest_seconds: float
    most_asks: int

    @property
    def waits(self) -> list[float]:
        """Seconds to wait after each ask, from the first on."""
        return [
            min(self.first_seconds * 2.0**n, self.longest_seconds) for n in range(self.most_asks)
        ]
