"""The one cell of settlement: its door, and the comparisons that take longer than a lock may."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import NAMESPACE_URL, uuid5

import structlog
from prometheus_client import Gauge

from contracts import clearing
from kit.answers import Answer, problem
from kit.frame import Internal
from kit.perform import Door
from kit.postgres import Pool, connect, is_passing, schema_of
from kit.reading import reading
from kit.refusal import Unavailable
from kit.transaction import Transaction
from kit.work import Broken, Job, Outcome
from policy.policy import Policy
from settlement.domain.commands import BalancePeriod, ClosePeriod, IssueStatements
from settlement.domain.statement import Statements
from settlement.domain.views import period_view
from settlement.edge.kafka import CELL, SETTLEMENT
from settlement.store.comparing import differences_of, level_months, received_of
from settlement.store.months import is_balanced, months_of
from settlement.store.statements import statements_of
from settlement.store.unhurried import take_time
from settlement.usecases import usecases

log = structlog.get_logger("settlement.room")

STEPS = uuid5(NAMESPACE_URL, "urn:gongji:settlement:step")
SURE_JOBS = 200
"""As many as a transaction gets through on any day."""

MOST_SHOWN = 200
"""Differences shown of a month: while lines are on their way every total may differ."""

UNLEVEL = Gauge("periods_unlevel", "Months whose sums are level and whose totals are not")


class Room:
    """Where settlement lives: `dsn` is for connections of their own, beside the pool's."""

    def __init__(self, pool: Pool, dsn: str, policy: Policy) -> None:
        self.policy = policy
        self._pool = pool
        self._dsn = dsn
        self.door = Door(pool, CELL, usecases(policy))
        self._unlevel: set[str] = set()

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """A look without locks. Raises Unavailable."""
        return reading(self._pool, CELL)

    @asynccontextmanager
    async def unhurried(self) -> AsyncIterator[Transaction]:
        """The same for what reads a whole month. Raises Unavailable."""
        try:
            connection = await connect(
                self._dsn, schema=schema_of(CELL), application_name="settlement-reading"
            )
            try:
                tx = Transaction(connection, CELL)
                await take_time(tx)
                yield tx
            finally:
                await connection.close()
        except Exception as error:
            if not is_passing(error):
                raise
            raise Unavailable("the database did not answer") from error

    async def perform(self, _cell: int, jobs: Sequence[Job]) -> list[Outcome]:
        """Perform what Kafka brought, and balance the months it completes."""
        outcomes = await self._perform(jobs)
        try:
            await self._balance(self._unlevel)
        except Unavailable as away:
            # What was brought is kept; the sweep balances as soon as it can.
            log.warning("balance.postponed", error=repr(away))
        return outcomes

    async def _perform(self, jobs: Sequence[Job]) -> list[Outcome]:
        try:
            return await self.door.perform(jobs)
        except Unavailable:
            if len(jobs) <= SURE_JOBS:
                raise
            # A busy database may never get through so many in the time of one transaction. Those
            # that were kept after all have their positions.
            log.warning("batch.divided", jobs=len(jobs))
        outcomes: list[Outcome] = []
        for first in range(0, len(jobs), SURE_JOBS):
            outcomes += await self.door.perform(jobs[first : first + SURE_JOBS])
        return outcomes

    async def balance_level(self) -> None:
        """Balance each month whose cells were all heard and told exactly what was received."""
        await self._balance(())

    async def _balance(self, apart: Collection[str]) -> None:
        """Totals are compared without the lock; a line that comes meanwhile shows at the door."""
        async with self.reading() as tx:
            level = await level_months(tx)
        for period in level:
            if period in apart:
                continue
            async with self.unhurried() as tx:
                compared = await received_of(tx, period)
                differences = await differences_of(tx, period, 1)
            if differences:
                self._unlevel.add(period)
                log.error("period.unlevel", period=period, first=differences[0].model_dump())
                continue
            await self._step(period, BalancePeriod(period=period, compared=compared), "")
        self._unlevel &= set(level)
        UNLEVEL.set(len(self._unlevel))

    async def find(self, period: str) -> clearing.Period | None:
        """A month as it is, and wherein it is not balanced yet; None before any cell was heard."""
        async with self.unhurried() as tx:
            month = (await months_of(tx, [period])).get(period)
            if month is None:
                return None
            found = await differences_of(tx, period, MOST_SHOWN) if month.state == "cut" else []
        return period_view(month, found)

    async def issue(self, period: str, instance: str) -> Answer:
        """Issue a month's statements; what they state is read before the lock. Raises Unavailable.

        A balanced month takes no more lines, so that nothing of it can change meanwhile.
        """
        statements: Statements | None = None
        async with self.unhurried() as tx:
            if await is_balanced(tx, period):
                statements = await statements_of(tx, period)
        command = IssueStatements(period=period, statements=statements)
        return await self._step(period, command, instance)

    async def close(self, period: str, instance: str) -> Answer:
        """Close a month that is paid. Raises Unavailable."""
        return await self._step(period, ClosePeriod(period=period), instance)

    async def _step(
        self, period: str, command: BalancePeriod | IssueStatements | ClosePeriod, instance: str
    ) -> Answer:
        job = Job(
            command=command,
            command_id=uuid5(STEPS, f"{type(command).__name__}\n{period}"),
            anchors=(SETTLEMENT,),
            instance=instance,
        )
        [outcome] = await self.door.perform([job])
        if isinstance(outcome, Answer):
            return outcome
        assert isinstance(outcome, Broken), "a step has no position to skip or to miss"
        return problem(Internal(), instance)
