"""What provinces have deposited with one another, and how much of it is used (R16)."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from contracts.clearing import PrefundsListed
from contracts.internal import PrefundsAsked
from contracts.vocabulary import Wire
from gateway.edge.endpoint import Asked, Route
from gateway.edge.pages import Limit
from gateway.edge.routes import CLERK_REFUSALS, PREFUNDS
from gateway.edge.settlement import Settlement
from gateway.edge.tokens import Clerk
from kit.answers import Answer


class PageByPair(Wire):
    """Which part of the list; a cursor is what the page before gave as `next_cursor`."""

    limit: Limit = 50
    cursor: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}-[0-9]{6}$")] | None = None


class Prefunds:
    """What clerks see of prefunds."""

    def __init__(self, *, settlement: Settlement) -> None:
        self._settlement = settlement

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/v1/prefunds",
                summary="Prefunds by debtor and creditor, in fen",
                authentication=PREFUNDS,
                perform=self.read,
                answers={200: PrefundsListed},
                query=PageByPair,
                refusals=CLERK_REFUSALS,
                notes=(
                    "`ratio_percent` is what is used of what was deposited, `level` what the "
                    "policy makes of it. Lines used it that were recorded before `as_of`."
                ),
            )
        ]

    async def read(self, asked: Asked[Clerk, None]) -> Answer:
        page: PageByPair = asked.query
        return await self._settlement.prefunds(
            PrefundsAsked(limit=page.limit, after=page.cursor, instance=asked.path)
        )
