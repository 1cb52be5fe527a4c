"""Months over all cells: each is cut by itself, then told; a sweep ends whatever was begun.

    asked ──▶ cut, cell by cell ──▶ cut everywhere: the answer
                    │                      └──▶ totals read, told cell by cell
                    └─ a crash anywhere ──▶ the sweep cuts the cells that are behind, tells the rest

Two who do it at once do it once.
"""

from __future__ import annotations

import asyncio
import time
from uuid import NAMESPACE_URL, uuid5

import structlog
from prometheus_client import Gauge

from contracts.clearing import Period
from kit.answers import Answer
from kit.faultpoint import declare, faultpoint
from kit.perform import Door
from kit.reading import LONGEST_SECONDS, reading_at_length
from kit.refusal import NotFound, Refusal, Unavailable
from kit.sweep import Sweep
from kit.work import Broken, Job
from policy.calendar import beijing_month
from wallet.domain.commands import CutPeriod, TellCut
from wallet.domain.find_period import Seen, find_period
from wallet.domain.period import months_after
from wallet.edge.cells import Cells
from wallet.store.periods import cuts_of, last_cut, totals_of, untold_cuts
from wallet.store.reading import clock

declare("cut.after-flip", "cut.before-tell", "cut.after-tell")

log = structlog.get_logger("wallet.months")

EVERY_SECONDS = 5.0
CUT_WITHIN_SECONDS = 4.0
"""For all cells: whoever asks does not wait much longer."""

PAUSE_SECONDS = 0.1
"""Between two tries to have a cell alone, in which whoever waited may write."""

TOLD_WITHIN_SECONDS = 2.0
"""A small month is told when its cut is answered; a large one a while after it."""

CUTS = uuid5(NAMESPACE_URL, "urn:gongji:wallet:cut-period")
TELLINGS = uuid5(NAMESPACE_URL, "urn:gongji:wallet:tell-cut")
"""Also the owner that those who tell at the same time lock: the months have no other."""

UNTOLD = Gauge("periods_untold", "Months that were cut and are not told yet", ["cell"])


class Months:
    """What becomes of months in the cells of this installation.

    `dsn` is where totals are read at length, beside the pools. Only with `early` a month may be
    cut before it is over.
    """

    def __init__(self, cells: Cells, *, dsn: str, early: bool) -> None:
        self._cells = cells
        self._dsn = dsn
        self._early = early
        self._telling: set[asyncio.Task[None]] = set()

    async def find(self, period: str) -> Period:
        """The month as the wallet knows it: open or cut. Raises NotFound, Unavailable."""
        seen, month = await self._seen(period)
        found = find_period(period, seen, month)
        if isinstance(found, Refusal):
            raise found
        return found

    async def cut(self, period: str, instance: str) -> Answer:
        """Cut a month in every cell: 200 with the Period, or why not. Raises Unavailable.

        A cell that cannot be had leaves others cut: whoever asks again goes on, and so does the
        sweep.
        """
        deadline = time.monotonic() + CUT_WITHIN_SECONDS
        if period > await self._caught_up(deadline):
            for cell in range(len(self._cells.pools)):
                # What one cell has cut is over for all, whatever another server's clock says.
                early = self._early or cell > 0
                given = await self._cut(cell, period, early, deadline, instance)
                if given.status != 200:
                    return given
        await self._begin_to_tell()
        try:
            found = await self.find(period)
        except NotFound:
            found = Period(period=period, state="cut")
        return Answer(status=200, body=found.model_dump_json())

    async def resume(self) -> None:
        """Cut what a cell is behind with, and tell what is cut and not told."""
        await self._caught_up(time.monotonic() + CUT_WITHIN_SECONDS)
        await self._tell()

    async def close(self) -> None:
        """What is being told is left to the sweep."""
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def _seen(self, period: str) -> tuple[list[Seen], str]:
        """What each cell knows of a month, and the present one by the database's clock."""
        seen = []
        for cell in range(len(self._cells.pools)):
            async with self._cells.reading(cell) as tx:
                # In this order: what was cut up to here has its row.
                last = await last_cut(tx)
                cut = (await cuts_of(tx, [period])).get(period)
                seen.append(Seen(last_cut=last, cut_at=None if cut is None else cut.cut_at))
                now = await clock(tx)
        return seen, beijing_month(now)

    async def _caught_up(self, deadline: float) -> str:
        """The last month that every cell has cut, once those behind have: a crash came between."""
        cuts = []
        for cell in range(len(self._cells.pools)):
            async with self._cells.reading(cell) as tx:
                cuts.append(await last_cut(tx))
        for cell, cut in enumerate(cuts):
            for period in months_after(cut, max(cuts)):
                log.warning("cut.resumed", cell=cell, period=period)
                await self._cut(cell, period, True, deadline)
        return max(cuts)

    async def _cut(
        self, cell: int, period: str, early: bool, deadline: float, instance: str = ""
    ) -> Answer:
        """Cut a month in one cell, or say why not. Raises Unavailable at the deadline."""
        job = Job(
            command=CutPeriod(period=period, early=early),
            command_id=uuid5(CUTS, f"{period}\n{cell}"),
            anchors=(),
            instance=instance,
        )
        while True:
            try:
                given = await _performed(self._cells.cutting_doors[cell], job)
                break
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)
        faultpoint("cut.after-flip")
        return given

    async def _begin_to_tell(self) -> None:
        """Tell in the background, and wait for it as long as a small month takes."""
        task = asyncio.create_task(self._tell_or_leave())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        await asyncio.wait([task], timeout=TOLD_WITHIN_SECONDS)

    async def _tell_or_leave(self) -> None:
        try:
            await self._tell()
        except Unavailable as away:
            log.warning("cut.not_told_yet", error=repr(away))
        except Exception as error:
            # The sweep meets it again and dies of it, which is seen; this caller's month is cut.
            log.error("cut.not_told", exc_info=error)

    async def _tell(self) -> None:
        for cell in range(len(self._cells.pools)):
            async with self._cells.reading(cell) as tx:
                untold = await untold_cuts(tx)
            UNTOLD.labels(cell).set(len(untold))
            for period in untold:
                await self._tell_one(cell, period)
                UNTOLD.labels(cell).dec()

    async def _tell_one(self, cell: int, period: str) -> None:
        async with reading_at_length(self._dsn, cell, application_name="wallet-totals") as tx:
            totals = await totals_of(tx, period)
        faultpoint("cut.before-tell")
        command = TellCut(period=period, cell=cell, cells=len(self._cells.pools), totals=totals)
        command_id = uuid5(TELLINGS, f"{period}\n{cell}")
        job = Job(command=command, command_id=command_id, anchors=(TELLINGS,))
        await _performed(self._cells.doors[cell], job)
        faultpoint("cut.after-tell")


async def _performed(door: Door, job: Job) -> Answer:
    """The answer to one job. Raises what broke it, and Unavailable."""
    [outcome] = await door.perform([job])
    if isinstance(outcome, Broken):
        raise outcome.error
    assert isinstance(outcome, Answer)
    return outcome


def resuming(months: Months) -> Sweep:
    """The sweep that ends what a crash has left."""
    return Sweep(
        name="resume_cuts",
        every_seconds=EVERY_SECONDS,
        sweep=months.resume,
        longest_seconds=2 * LONGEST_SECONDS,
    )
