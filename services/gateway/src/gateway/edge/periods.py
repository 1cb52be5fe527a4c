"""A month as a clerk sees it and moves it on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from contracts.clearing import Period
from contracts.internal import PeriodAsked
from contracts.public import Nothing
from gateway.edge.endpoint import Asked, Route
from gateway.edge.kept import KeptAnswers
from gateway.edge.months import Months
from gateway.edge.routes import CLEARING, CLERK_REFUSALS
from gateway.edge.settlement import Settlement
from gateway.edge.tokens import Clerk
from gateway.edge.wallet import Wallet
from kit.answers import Answer
from kit.refusal import Busy, InProgress, KeyRequired, KeyReused, Unavailable, WrongState

Step = Callable[[PeriodAsked], Awaitable[Answer]]

PERIOD = "/v1/periods/{month}"
STEP_REFUSALS = (*CLERK_REFUSALS, KeyRequired, KeyReused, InProgress, WrongState)


class Periods:
    """What clerks see of months, and the three steps that are theirs."""

    def __init__(
        self, *, wallet: Wallet, settlement: Settlement, months: Months, kept: KeptAnswers
    ) -> None:
        self._wallet = wallet
        self._settlement = settlement
        self._months = months
        self._kept = kept

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path=PERIOD,
                summary="A Beijing month and how far it is",
                authentication=CLEARING,
                perform=self.read,
                answers={200: Period},
                refusals=CLERK_REFUSALS,
                notes=(
                    "`open`, `cut`, `balanced`, `issued`, `confirmed`, `paid`, `closed`. A month "
                    "is `balanced` by itself once settlement has every line that the wallet "
                    "counted; until then `differences` says what is missing, extra or changed."
                ),
            ),
            Route(
                method="POST",
                path=f"{PERIOD}/cut",
                summary="Cut a month: from now on nothing falls into it any more",
                authentication=CLEARING,
                perform=self.cut,
                answers={200: Period},
                body=Nothing,
                needs_key=True,
                refusals=STEP_REFUSALS,
                notes="Months are cut one after the other, once they are over in Beijing.",
            ),
            Route(
                method="POST",
                path=f"{PERIOD}/issue",
                summary="Issue the statements of a balanced month to the provinces",
                authentication=CLEARING,
                perform=self.issue,
                answers={200: Period},
                body=Nothing,
                needs_key=True,
                refusals=STEP_REFUSALS,
                notes="Confirmed and paid it is by itself, by what the provinces answer and pay.",
            ),
            Route(
                method="POST",
                path=f"{PERIOD}/close",
                summary="Close a month that is paid",
                authentication=CLEARING,
                perform=self.close,
                answers={200: Period},
                body=Nothing,
                needs_key=True,
                refusals=STEP_REFUSALS,
            ),
        ]

    async def read(self, asked: Asked[Clerk, None]) -> Answer:
        return await self._months.find(about_of(asked))

    async def cut(self, asked: Asked[Clerk, Nothing]) -> Answer:
        return await self._kept.once(asked, lambda: self._cut(about_of(asked)))

    async def issue(self, asked: Asked[Clerk, Nothing]) -> Answer:
        step = self._settlement.issue_statements
        return await self._kept.once(asked, lambda: self._taken(step, about_of(asked)))

    async def close(self, asked: Asked[Clerk, Nothing]) -> Answer:
        step = self._settlement.close_period
        return await self._kept.once(asked, lambda: self._taken(step, about_of(asked)))

    async def _cut(self, about: PeriodAsked) -> Answer:
        cut = await self._wallet.cut_period(about)
        if cut.status != 200:
            return cut
        try:
            since = await self._months.since_the_cut(about)
        except (Busy, Unavailable):
            since = None
        # That it is cut is so, whoever cannot say what has become of it since.
        return since if since is not None and since.status == 200 else cut

    async def _taken(self, step: Step, about: PeriodAsked) -> Answer:
        return await self._months.unless_too_early(about, await step(about))


def about_of(asked: Asked[Clerk, Any]) -> PeriodAsked:
    return PeriodAsked(period=asked.month, instance=asked.path)
