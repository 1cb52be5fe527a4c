"""Delivery: from the records of one poll to jobs at the door, parked records and healed keys.

    record ── understood ──▶ job ──▶ door ──▶ answered · skipped     done
       │                              ├─────▶ broken                 parked, its key with it
       │                              └─────▶ gap                    parked until the missing comes
       ├── poison ──▶ parked, its key with it
       └── its key is parked ──▶ joins

A poll is one batch per cell. Records of one key without sequences go one after another instead,
because nothing but their order would tell that the first of them broke.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog
from prometheus_client import Counter
from pydantic import ValidationError

from kit.answers import Answer
from kit.faultpoint import declare, faultpoint
from kit.parking import BEHIND, GAP, Name, Note, Parking
from kit.records import Poison, Raw, Record, Routed, read
from kit.work import Broken, Gap, Job, Outcome

declare("consume.before-perform", "redrive.after-perform")

log = structlog.get_logger("kit.deliver")

DELIVERED = Counter(
    "consume_records_total", "Records, by what became of them", ["topic", "outcome"]
)

Handler = Callable[[Record], Routed | None]
"""Pure translation of a record into a job; None when it asks for nothing. Raises Poison."""

Submit = Callable[[int, Sequence[Job]], Awaitable[Sequence[Outcome]]]
"""Performs jobs in a cell, like `Door.perform`; raises Unavailable."""


def _everything_belongs(_record: Record) -> bool:
    return True


def _only_cell(_record: Record) -> int:
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a service makes of the records it reads.

    `handlers` by type; `ignores` are types that are known but not needed here. A record that is
    malformed, of an unknown type, or whose source does not belong to its topic is parked if
    `parks_bad`, and otherwise left to the service that does. `cell_of_key` names the cell that
    keeps the position of a record that asks for nothing. Where sources are not ours their
    sequences, if any, prove nothing: not `sequenced`.
    """

    handlers: Mapping[str, Handler]
    ignores: Collection[str] = ()
    parks_bad: bool = True
    belongs: Callable[[Record], bool] = _everything_belongs
    cell_of_key: Callable[[Record], int] = _only_cell
    sequenced: bool = True
    most_bytes: int = 1 << 20

    def read(self, raw: Raw) -> Record:
        """The record with its headers understood. Raises Poison."""
        try:
            record = read(raw)
        except Poison:
            raise
        except Exception as error:
            # Reading is pure: what fails once fails always, and must not stop its partition.
            log.error("record.unreadable", place=raw.place, exc_info=error)
            raise Poison(type(error).__name__) from error
        return record if self.sequenced else replace(record, sequence=None)

    def understand(self, raw: Raw) -> Routed | None:
        """The job a record amounts to, None for nothing. Raises Poison."""
        record: Record | None = None
        try:
            record = self.read(raw)
            return self._translate(record)
        except Poison as poison:
            if self.parks_bad:
                raise
            DELIVERED.labels(raw.topic, "left").inc()
            log.info("record.left", place=raw.place, reason=poison.reason)
            if record is None or not self.belongs(record):
                return None  # a foreign source's sequence must not move anything
            return self._passed_over(record)

    def _translate(self, record: Record) -> Routed | None:
        if len(record.body) > self.most_bytes:
            raise Poison("too-large", f"{len(record.body)} bytes")
        if not self.belongs(record):
            raise Poison("foreign-source")
        handler = self.handlers.get(record.type)
        if handler is None:
            if self.parks_bad and record.type not in self.ignores:
                raise Poison("unknown-type")
            return self._passed_over(record)
        try:
            routed = handler(record)
        except Poison:
            raise
        except ValidationError as error:
            wrong = [".".join(map(str, each["loc"])) for each in error.errors()[:5]]
            raise Poison("bad-body", ", ".join(wrong)) from None
        except Exception as error:
            # A handler is pure: what fails once fails always, whatever it is.
            log.error("handler.failed", record_type=record.type, exc_info=error)
            raise Poison(type(error).__name__) from error
        if routed is None:
            return self._passed_over(record)
        if routed.job.position is None and record.position is not None:
            return replace(routed, job=replace(routed.job, position=record.position))
        return routed

    def note(self, raw: Raw, reason: str, detail: str = "") -> Note:
        """What is kept of a record that is parked, its place in its key's order included."""
        try:
            record = self.read(raw)
        except Poison:
            return Note(raw=raw, reason=reason, detail=detail)
        return Note(
            raw=raw, reason=reason, detail=detail, source=record.source, sequence=record.sequence
        )

    def _passed_over(self, record: Record) -> Routed | None:
        if record.position is None:
            return None
        return record.to(self.cell_of_key(record), None)


@dataclass(slots=True, kw_only=True)
class Poll:
    """The records of one poll and what became of them so far: a retry goes on where it stopped."""

    pending: list[Raw]
    stuck: dict[Name, str] | None = None
    notes: list[Note] = field(default_factory=list)
    healing: set[Name] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Delivers polls through the door; parks what cannot be, redrives what can be again."""

    reading: Reading
    submit: Submit
    parking: Parking

    async def deliver(self, poll: Poll) -> None:
        """See to it that each record of a poll is performed or parked.

        Raises Unavailable, or an error that passes: call again with the same poll.
        """
        if poll.stuck is None:
            poll.stuck = await self.parking.reasons({raw.name for raw in poll.pending})
        while poll.pending or poll.notes:
            while poll.pending:
                await self._perform_some(poll, poll.stuck)
            if poll.notes:
                freed = await self.parking.park(poll.notes)
                poll.notes.clear()
                for raw in freed:
                    poll.stuck.pop(raw.name, None)
                poll.pending = freed
        for name in sorted(poll.healing):
            await self.redrive(*name)
            poll.healing.discard(name)

    async def _perform_some(self, poll: Poll, stuck: dict[Name, str]) -> None:
        chosen, poll.pending = self._choose(poll, stuck)
        by_cell: dict[int, list[tuple[Raw, Routed]]] = {}
        for raw, routed in chosen:
            by_cell.setdefault(routed.cell, []).append((raw, routed))
        faultpoint("consume.before-perform")
        answers = await asyncio.gather(
            *(self._submit(cell, batch) for cell, batch in by_cell.items()),
            return_exceptions=True,
        )
        failed: BaseException | None = None
        became: Tally[tuple[str, str]] = Tally()
        undone: list[Raw] = []
        for batch, outcomes in zip(by_cell.values(), answers, strict=True):
            if isinstance(outcomes, BaseException):
                failed = outcomes
                undone += [raw for raw, _ in batch]
                continue
            for (raw, routed), outcome in zip(batch, outcomes, strict=True):
                became[raw.topic, type(outcome).__name__.lower()] += 1
                self._settle(poll, stuck, raw, routed, outcome)
        for (topic, kind), count in became.items():
            DELIVERED.labels(topic, kind).inc(count)
        if failed is not None:
            poll.pending = sorted(
                undone + poll.pending, key=lambda raw: (raw.topic, raw.partition, raw.offset)
            )
            raise failed

    def _choose(
        self, poll: Poll, stuck: dict[Name, str]
    ) -> tuple[list[tuple[Raw, Routed]], list[Raw]]:
        """What can be performed now, and what must wait for it; the rest is noted or dropped."""
        chosen: list[tuple[Raw, Routed]] = []
        later: list[Raw] = []
        alone: set[Name] = set()
        together: set[Name] = set()
        for raw in poll.pending:
            name = raw.name
            if name in alone:
                later.append(raw)
                continue
            reason = stuck.get(name)
            if reason is not None and reason != GAP:
                poll.notes.append(self.reading.note(raw, BEHIND))
                continue
            try:
                routed = self.reading.understand(raw)
            except Poison as poison:
                poll.notes.append(self.reading.note(raw, poison.reason, poison.detail))
                stuck[name] = poison.reason
                continue
            if routed is None:
                DELIVERED.labels(raw.topic, "ignored").inc()
            elif routed.job.position is not None:
                chosen.append((raw, routed))
                together.add(name)
            elif reason == GAP:
                poll.notes.append(self.reading.note(raw, BEHIND))
            elif name in together:
                later.append(raw)
                alone.add(name)
            else:
                chosen.append((raw, routed))
                alone.add(name)
        return chosen, later

    async def _submit(self, cell: int, batch: Sequence[tuple[Raw, Routed]]) -> list[Outcome]:
        outcomes = list(await self.submit(cell, [routed.job for _, routed in batch]))
        assert len(outcomes) == len(batch), "one outcome a job"
        for n, (_, routed) in enumerate(batch):
            if isinstance(outcomes[n], Broken):
                # What broke may have met another process at the same record: ask once more.
                [outcomes[n]] = await self.submit(cell, [routed.job])
        return outcomes

    def _settle(
        self, poll: Poll, stuck: dict[Name, str], raw: Raw, routed: Routed, outcome: Outcome
    ) -> None:
        if isinstance(outcome, Broken):
            reason = _reason(outcome.error)
            poll.notes.append(self.reading.note(raw, reason))
            stuck[raw.name] = reason
        elif isinstance(outcome, Gap):
            behind = stuck.setdefault(raw.name, GAP) != GAP
            detail = f"{outcome.found} came where {outcome.expected} was due"
            poll.notes.append(self.reading.note(raw, BEHIND if behind else GAP, detail))
        else:
            if stuck and stuck.get(raw.name) == GAP:
                poll.healing.add(raw.name)
            if isinstance(outcome, Answer) and outcome.status >= 400:
                kind = type(routed.job.command).__name__
                log.warning("record.refused", place=raw.place, command=kind, answer=outcome.body)

    async def redrive(self, topic: str, key: str) -> int:
        """Perform a key's parked records in order; stops at the first that fails again.

        Returns how many it performed.
        """
        performed = 0
        while waiting := await self.parking.waiting_of(topic, key):
            for parked in waiting:
                failure = await self._perform_alone(parked.raw)
                if failure is not None:
                    await self.parking.failed_again(parked.parked_id, failure)
                    return performed
                faultpoint("redrive.after-perform")
                await self.parking.resolve(parked.parked_id)
                performed += 1
        return performed

    async def _perform_alone(self, raw: Raw) -> str | None:
        """Why a record cannot be performed even now; None when it was."""
        try:
            routed = self.reading.understand(raw)
        except Poison as poison:
            return poison.reason
        if routed is None:
            return None
        [outcome] = await self._submit(routed.cell, [(raw, routed)])
        if isinstance(outcome, Broken):
            return _reason(outcome.error)
        return GAP if isinstance(outcome, Gap) else None

    async def discard(self, parked_id: int, raw: Raw) -> None:
        """Give a parked record up for good, so that those behind it can go on.

        A sequence it carries counts as consumed; the door refuses to skip ahead of its turn.
        """
        try:
            record = self.reading.read(raw)
        except Poison:
            record = None
        if record is not None and record.position is not None:
            routed = record.to(self.reading.cell_of_key(record), None)
            [outcome] = await self.submit(routed.cell, [routed.job])
            assert not isinstance(outcome, Gap), "the records before it are missing"
        await self.parking.resolve(parked_id)


def _reason(error: Exception) -> str:
    """A service may answer Broken with a Poison that it found only by looking into its database."""
    return error.reason if isinstance(error, Poison) else type(error).__name__
