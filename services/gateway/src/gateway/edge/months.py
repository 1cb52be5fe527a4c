"""Where a month stands: the wallet owns open and cut, settlement everything after."""

from __future__ import annotations

import orjson

from contracts.internal import PeriodAsked
from gateway.edge.settlement import Settlement
from gateway.edge.wallet import Wallet
from kit.answers import Answer, problem
from kit.refusal import WrongState


class Months:
    """Asks the two in turn. Raises Busy and Unavailable."""

    def __init__(self, *, wallet: Wallet, settlement: Settlement) -> None:
        self._wallet = wallet
        self._settlement = settlement

    async def find(self, about: PeriodAsked) -> Answer:
        """The month as it is now; one that does not exist yet is not-found."""
        return await self.since_the_cut(about) or await self._wallet.period(about)

    async def since_the_cut(self, about: PeriodAsked) -> Answer | None:
        """What settlement knows of the month; None where that is no more than the wallet knows."""
        known = await self._settled(about)
        is_more = known is not None and orjson.loads(known.body).get("state") != "open"
        return known if is_more else None

    async def unless_too_early(self, about: PeriodAsked, given: Answer) -> Answer:
        """What settlement answered; its not-found is wrong-state where it will know the month."""
        if given.status != 404 or await self._settled(about) is not None:
            return given
        month = await self._wallet.period(about)
        if month.status != 200:
            return month
        state = orjson.loads(month.body)["state"]
        return problem(WrongState(f"the month is {state}"), about.instance)

    async def _settled(self, about: PeriodAsked) -> Answer | None:
        known = await self._settlement.period(about)
        return None if known.status == 404 else known
