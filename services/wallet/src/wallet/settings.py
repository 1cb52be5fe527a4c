"""What the wallet reads from its environment: beyond the usual, how patient it is."""

from __future__ import annotations

from pydantic import Field

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """The wallet's settings. CELLS is fixed at installation: it decides where people live.

    An order that a province has not answered is told again after `ask_again_first_seconds`, then
    after twice that and so on, but never later than `ask_again_longest_seconds`; after
    `ask_again_most` asks it is for a clerk. With these defaults that is a day and a bit. The fund
    of a premium is asked in the same way, but until it answers.

    Only with `early_cut`, for local stacks, a month may be cut before it is over.
    """

    ask_again_first_seconds: float = Field(default=60.0, gt=0, le=86_400)
    ask_again_longest_seconds: float = Field(default=3_600.0, gt=0, le=86_400)
    ask_again_most: int = Field(default=30, ge=1, le=100)
    early_cut: bool = False
    ask_premium_again_first_seconds: float = Field(default=10.0, gt=0, le=86_400)
    ask_premium_again_longest_seconds: float = Field(default=3_600.0, gt=0, le=86_400)
