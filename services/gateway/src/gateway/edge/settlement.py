"""Settlement, as the gateway asks it: months that were cut, their statements, and prefunds."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from contracts.internal import History, PeriodAsked, PrefundsAsked, StatementAsked
from gateway.edge.neighbours import Neighbour, answer_of
from kit.answers import Answer


class Settlement:
    """Every question is answered with the text for the caller. Raises Busy and Unavailable."""

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    async def period(self, asked: PeriodAsked) -> Answer:
        """A month that settlement was told of."""
        return await self._asked("/internal/periods/find", asked)

    async def issue_statements(self, asked: PeriodAsked) -> Answer:
        return await self._asked("/internal/periods/issue", asked)

    async def close_period(self, asked: PeriodAsked) -> Answer:
        return await self._asked("/internal/periods/close", asked)

    async def statement(self, asked: StatementAsked) -> Answer:
        return await self._asked("/internal/statements/find", asked)

    async def prefunds(self, asked: PrefundsAsked) -> Answer:
        return await self._asked("/internal/prefunds/find", asked)

    async def history(self, name: str, *, also: Sequence[UUID]) -> History:
        """What became of payments in their month. Raises Busy and Unavailable."""
        return await self._neighbour.history(name, also=also)

    async def _asked(self, path: str, asked: PeriodAsked | PrefundsAsked) -> Answer:
        return answer_of(await self._neighbour.ask(path, asked), asked.instance)

    async def close(self) -> None:
        self._neighbour.close()
