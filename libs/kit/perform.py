"""The door: the one way in which anything is written.

    preamble    a lock and facts the service wants first (a shared lock, a period)
    anchors     the owners of the whole batch, inserted if missing, locked in key order
    receipts    what was answered before, and the time by the database's clock
    use cases   read, decide, write; runs of one kind of command form one call
    receipts    of successes and of final refusals; positions; outbox
    COMMIT

Each is a statement of its own, because a statement that waits for a lock and reads other tables
in the same breath reads them as they were before the wait.

A passing error (serialization, deadlock, connection) repeats the whole batch once and is then
`unavailable`; a commit whose answer was lost is settled the same way, under the same keys and
locks. Any other error splits the batch, so that a poison command hurts only itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import asyncpg
import structlog
from prometheus_client import Counter, Histogram

from kit.answers import Answer, problem
from kit.faultpoint import declare, faultpoint
from kit.outbox import Outgoing, write_outbox
from kit.postgres import RELEASE_SECONDS, Pool, is_passing
from kit.receipts import (
    TOMBSTONE,
    Consumed,
    Receipts,
    read_consumed,
    read_receipts,
    write_consumed,
    write_receipts,
)
from kit.refusal import InProgress, KeyReused, Refusal, ReversedBeforeArrival, Unavailable
from kit.transaction import Transaction
from kit.work import Broken, Gap, Job, Outcome, ReceiptKey, Skipped, UseCase

declare("door.after-begin", "door.after-locks", "door.before-commit", "door.after-commit")

log = structlog.get_logger("kit.perform")

BATCH_JOBS = Histogram(
    "door_batch_jobs", "Jobs in one transaction", ["cell"], buckets=(1, 2, 5, 10, 20, 50, 100, 200)
)
RETRIES = Counter("door_retries_total", "Batches repeated after a passing error", ["cell"])
SPLITS = Counter("door_splits_total", "Batches split to find a poison command", ["cell"])

Preamble = Callable[[Transaction], Awaitable[Any]]

ACQUIRE_SECONDS = 0.3
"""Whoever waits behind a batch that finds no connection waits for it and for its own."""

MOST_KNOWN_ANCHORS = 1_000_000


class Door:
    """The door of one cell: performs batches of jobs through the use cases it was given."""

    def __init__(
        self,
        pool: Pool,
        cell: int,
        usecases: Mapping[type, UseCase],
        preamble: Preamble | None = None,
    ) -> None:
        self._pool = pool
        self._cell = cell
        self._usecases = usecases
        self._preamble = preamble
        self._known_anchors: set[Any] = set()

    async def perform(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Perform a batch, in order, in one transaction; answer it job by job.

        Raises Unavailable when the database could not be had or the outcome is unknown: the
        caller settles it by performing the same jobs again.
        """
        assert jobs
        try:
            return await self._twice(jobs)
        except Unavailable:
            raise
        except Exception as error:  # Whatever it is, it belongs to one of the jobs: find which.
            if len(jobs) == 1:
                log.error("job.broken", command=type(jobs[0].command).__name__, exc_info=error)
                return [Broken(error=error)]
            SPLITS.labels(self._cell).inc()
            half = len(jobs) // 2
            return await self.perform(jobs[:half]) + await self.perform(jobs[half:])

    async def _twice(self, jobs: Sequence[Job]) -> list[Outcome]:
        try:
            return await self._once(jobs)
        except Exception as error:
            if not is_passing(error):
                raise
            RETRIES.labels(self._cell).inc()
            log.warning("batch.repeated", error=type(error).__name__, jobs=len(jobs))
        try:
            return await self._once(jobs)
        except Exception as error:
            if not is_passing(error):
                raise
            raise Unavailable("the database did not answer") from error

    async def _once(self, jobs: Sequence[Job]) -> list[Outcome]:
        async with self._connection() as connection:
            async with connection.transaction(isolation="read_committed"):
                faultpoint("door.after-begin")
                tx = Transaction(connection, self._cell)
                if self._preamble is not None:
                    tx.context = await self._preamble(tx)
                anchors = await self._lock(tx, jobs)
                faultpoint("door.after-locks")
                outcomes = await self._decide(tx, jobs)
                faultpoint("door.before-commit")
            faultpoint("door.after-commit")
        self._remember(anchors)
        BATCH_JOBS.labels(self._cell).observe(len(jobs))
        return outcomes

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]:
        # One that does not come free now would not the second time: the caller is told at once.
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except TimeoutError:
            raise Unavailable("no connection to the database came free") from None
        try:
            yield connection
        finally:
            # What was committed is not to be repeated because the connection comes back slowly.
            await self._pool.release(connection, timeout=RELEASE_SECONDS)

    async def _lock(self, tx: Transaction, jobs: Sequence[Job]) -> list[Any]:
        anchors = sorted({anchor for job in jobs for anchor in job.anchors})
        if not anchors:
            return anchors
        missing = [anchor for anchor in anchors if anchor not in self._known_anchors]
        if missing:
            await tx.fetch(
                """
                INSERT INTO anchor (owner) SELECT unnest($1::uuid[])
                ON CONFLICT (owner) DO NOTHING
                """,
                missing,
            )
        locked = await tx.fetch(
            "SELECT owner FROM anchor WHERE owner = ANY($1::uuid[]) ORDER BY owner FOR UPDATE",
            anchors,
        )
        assert len(locked) == len(anchors), "an anchor is missing after it was inserted"
        return anchors

    def _remember(self, anchors: Sequence[Any]) -> None:
        # Anchors are never deleted, so one that was seen committed needs no insert again.
        if len(self._known_anchors) > MOST_KNOWN_ANCHORS:
            self._known_anchors.clear()
        self._known_anchors.update(anchors)

    async def _decide(self, tx: Transaction, jobs: Sequence[Job]) -> list[Outcome]:
        now, receipts = await read_receipts(tx, [job.receipt for job in jobs if job.receipt])
        positions = [job.position for job in jobs if job.position]
        consumed = await read_consumed(tx, positions) if positions else {}

        sorting = _Sorting(jobs, receipts, consumed)
        outgoing: list[Outgoing] = []
        for kind, run in groupby(sorting.live, key=lambda n: type(jobs[n].command)):
            numbers = list(run)
            if kind is type(None):
                sorting.moved_on(numbers)
                continue
            commands = [jobs[n].command for n in numbers]
            decisions = await self._usecases[kind](tx, commands, now)
            assert len(decisions) == len(commands), f"{kind.__name__}: one decision a command"
            for n, decision in zip(numbers, decisions, strict=True):
                job = jobs[n]
                sorting.answered(n, _answer_of(decision.answer, job))
                outgoing += [
                    Outgoing(command_id=job.command_id, event=event, traceparent=job.traceparent)
                    for event in decision.events
                ]

        await write_receipts(tx, sorting.receipts_to_write(), now)
        if positions:
            await write_consumed(tx, consumed, sorting.consumed)
        await write_outbox(tx, outgoing, now)
        return sorting.outcomes()


def _answer_of(decided: Answer | Refusal, job: Job) -> Answer:
    return problem(decided, job.instance) if isinstance(decided, Refusal) else decided


class _Sorting:
    """Which jobs of a batch are to be decided, and the outcome of each of the others."""

    def __init__(self, jobs: Sequence[Job], receipts: Receipts, consumed: Consumed) -> None:
        self._jobs = jobs
        self._outcomes: dict[int, Outcome] = {}
        self._twins: list[tuple[int, int]] = []
        self.consumed = dict(consumed)
        self.live: list[int] = []
        first: dict[object, int] = {}
        for n, job in enumerate(jobs):
            if job.position is not None and not self._moves_on(n, job):
                continue
            if job.receipt is None:
                self.live.append(n)
            elif job.receipt.name in receipts:
                self._outcomes[n] = _replay(job, *receipts[job.receipt.name])
            elif job.receipt.name in first:
                self._twins.append((n, first[job.receipt.name]))
            else:
                assert job.receipt.scope in job.anchors, "a receipt is guarded by its anchor"
                first[job.receipt.name] = n
                self.live.append(n)

    def _moves_on(self, n: int, job: Job) -> bool:
        at = job.position
        assert at is not None
        name = (at.source, at.topic, at.key)
        last = self.consumed.get(name, 0)
        if at.sequence <= last:
            self._outcomes[n] = Skipped(last=last)
            return False
        if at.sequence > last + 1:
            self._outcomes[n] = Gap(expected=last + 1, found=at.sequence)
            return False
        self.consumed[name] = at.sequence
        return True

    def answered(self, n: int, given: Answer) -> None:
        self._outcomes[n] = given

    def moved_on(self, numbers: Sequence[int]) -> None:
        for n in numbers:
            self._outcomes[n] = Answer(status=204, body="", kept=False)

    def receipts_to_write(self) -> list[tuple[ReceiptKey, Answer]]:
        kept: list[tuple[ReceiptKey, Answer]] = []
        for n in self.live:
            receipt, given = self._jobs[n].receipt, self._outcomes[n]
            assert isinstance(given, Answer)
            if receipt is not None and given.kept:
                kept.append((receipt, given))
        return kept

    def outcomes(self) -> list[Outcome]:
        for n, original in self._twins:
            given, receipt = self._outcomes[original], self._jobs[original].receipt
            assert isinstance(given, Answer)
            assert receipt is not None
            job = self._jobs[n]
            if given.kept:
                replayed = Answer(status=given.status, body=given.body, replayed=True)
                self._outcomes[n] = _replay(job, receipt.fingerprint, replayed)
            else:
                self._outcomes[n] = problem(InProgress(), job.instance)
        return [self._outcomes[n] for n in range(len(self._jobs))]


def _replay(job: Job, fingerprint: bytes, given: Answer) -> Answer:
    assert job.receipt is not None
    if fingerprint == TOMBSTONE:
        return problem(ReversedBeforeArrival(), job.instance)
    if job.receipt.fingerprint != fingerprint:
        return problem(KeyReused(), job.instance)
    return given
