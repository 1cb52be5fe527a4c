"""Callers who pay, capture, give back, reverse and charge again without a pause, and remember it.

They stand at the desks of several processes in turn, as the gateway does. What they were told is
kept as lines: cause, quota, amount and month.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from contracts.commands import Capture, Refund, Reverse
from contracts.internal import Call, institution_caller
from kit.commands_http import CommandDesk
from kit.refusal import Unavailable
from kit.work import Job, Outcome
from tests.support.town_until import until_so
from tests.support.wallets import (
    HOSPITAL,
    PHARMACY,
    Purse,
    code_of,
    hold_of,
    job_of,
    payment_of,
)
from wallet.domain.commands import RecordOrderAnswer
from wallet.domain.orders import OrderKind

TRIES = 50


class ToldLine(NamedTuple):
    """A line as a caller was told of it."""

    cause_id: str
    quota_id: str
    amount: int
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """When something was asked of a cell and answered, by the same clock."""

    cell: int
    since: float
    until: float


@dataclass(slots=True, kw_only=True)
class WalletLoad:
    """`asked` is all that was asked, `lines` what it came to as far as answers tell."""

    purse: Purse
    desks: Sequence[CommandDesk]
    people: Sequence[UUID]
    lines: list[ToldLine] = field(default_factory=list)
    asked: list[Asking] = field(default_factory=list)
    undone: int = 0
    charged_again: int = 0
    _keys: count[int] = field(default_factory=count)
    _ending: bool = False

    async def flows(self, answers: int) -> None:
        """Return when so many more have been answered."""
        wanted = len(self.asked) + answers
        await until_so(lambda: len(self.asked) >= wanted, f"{answers} answers", 60.0)

    async def caller(self, number: int) -> None:
        choice = random.Random(number)
        while not self._ending:
            me = self.people[next(self._keys) % len(self.people)]
            happens = choice.choice((self._pays, self._pays, self._stays, self._returns))
            await happens(me, choice)

    async def _pays(self, me: UUID, choice: random.Random) -> None:
        """Pay, and then perhaps give some of it back, all of it, or undo it by its key."""
        key = self._key()
        paid = await self._ask(payment_of(me, choice.randint(1, 900)), me, PHARMACY, key)
        self._note(paid["payment_id"], paid, 1)
        await self._thinks_better(paid, me, PHARMACY, key, choice)

    async def _stays(self, me: UUID, choice: random.Random) -> None:
        """Hold, and capture less."""
        amount, key = choice.randint(2, 900), self._key()
        held = await self._ask(hold_of(me, amount), me, HOSPITAL, self._key())
        command = Capture(
            payment_id=UUID(held["payment_id"]),
            institution=HOSPITAL,
            amount_fen=choice.randint(1, amount),
        )
        captured = await self._ask(command, me, HOSPITAL, key)
        self._note(captured["payment_id"], captured, 1)
        await self._thinks_better(captured, me, HOSPITAL, key, choice)

    async def _thinks_better(
        self, paid: dict[str, Any], me: UUID, institution: str, key: str, choice: random.Random
    ) -> None:
        match choice.randrange(4):
            case 0:
                amount = choice.randint(1, paid["captured_fen"])
                await self._gives_back(paid, me, institution, amount, self._key())
            case 1:
                await self._reverses(me, institution, key)

    async def _returns(self, me: UUID, choice: random.Random) -> None:
        """Give all of a payment back, wait for the province, and charge it again after all."""
        paid = await self._ask(payment_of(me, choice.randint(1, 900)), me, PHARMACY, self._key())
        self._note(paid["payment_id"], paid, 1)
        key = self._key()
        given = await self._gives_back(paid, me, PHARMACY, paid["captured_fen"], key)
        await self._credited(UUID(given["refund_id"]), me)
        if await self._reverses(me, PHARMACY, key):
            self.charged_again += 1

    async def _gives_back(
        self, paid: dict[str, Any], me: UUID, institution: str, amount: int, key: str
    ) -> dict[str, Any]:
        command = Refund(
            payment_id=UUID(paid["payment_id"]),
            institution=institution,
            amount_fen=amount,
            reason="returned",
        )
        given = await self._ask(command, me, institution, key)
        self._note(given["refund_id"], given, -1)
        return given

    async def _reverses(self, me: UUID, institution: str, key: str) -> bool:
        command = Reverse(person_id=me, institution=institution, original_key=key)
        told = await self._ask(command, me, institution, self._key())
        # What was given back may have been spent by somebody else since.
        reversed_ = bool(told.get("outcome") == "reversed")
        self.undone += reversed_
        return reversed_

    async def _credited(self, refund_id: UUID, me: UUID) -> None:
        rows = await self.purse.pool_of(me).fetch(
            "SELECT order_id, sharer_admdvs FROM account_order JOIN quota USING (quota_id) "
            "WHERE refund_id = $1",
            refund_id,
        )
        for row in rows:
            command = RecordOrderAnswer(
                province=f"{row['sharer_admdvs'][:2]}0000",
                order_id=row["order_id"],
                kind=OrderKind.CREDIT,
            )
            assert code_of(await self._had(job_of(command, me), me)) == "200"

    async def _had(self, job: Job, me: UUID) -> Outcome:
        """What Kafka brings is performed again until the database can be had."""
        for _ in range(TRIES):
            with suppress(Unavailable):
                [done] = await self.purse.cells.perform(self.purse.cells.of_person(me), [job])
                return done
        raise AssertionError(f"{job.command} was not performed in {TRIES} tries")

    def _key(self) -> str:
        return f"k{next(self._keys)}"

    def _note(self, cause_id: str, told: dict[str, Any], sign: int) -> None:
        self.lines += [
            ToldLine(cause_id, part["quota_id"], sign * part["amount_fen"], told["period"])
            for part in told["allocations"]
        ]

    async def _ask(self, command: Any, me: UUID, institution: str, key: str) -> dict[str, Any]:
        """Ask until it is settled, under one key; the body of a success, or of a reversal's no."""
        number = next(self._keys)
        call = Call[Any](
            caller=institution_caller(institution),
            person_id=me,
            key=key,
            fingerprint="0" * 64,
            instance="/",
            command=command,
        )
        for _ in range(TRIES):
            since = time.monotonic()
            [given] = await self.desks[number % len(self.desks)].perform([call])
            cell = self.purse.cells.of_person(me)
            self.asked.append(Asking(cell=cell, since=since, until=time.monotonic()))
            if given.status not in (429, 503):
                told: dict[str, Any] = orjson.loads(given.body)
                refused = isinstance(command, Reverse) and given.status == 409
                assert given.status in (200, 201) or refused, given
                return told
        raise AssertionError(f"{command} was not settled in {TRIES} tries")

    def end(self) -> None:
        """Nobody begins anything more."""
        self._ending = True


@asynccontextmanager
async def wallet_load(
    purse: Purse, desks: Sequence[CommandDesk], people: Sequence[UUID], callers: int
) -> AsyncIterator[WalletLoad]:
    """Load while the block runs; afterwards everything has its answer."""
    load = WalletLoad(purse=purse, desks=desks, people=people)
    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(load.caller(number))
        await load.flows(callers)
        try:
            yield load
        finally:
            load.end()
