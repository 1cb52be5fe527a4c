"""Many lives at once against the real wallet: each step of all of them is one batch at its door.

The database's clock is ahead by what a table of the tests says, and nothing else is changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.commands import OpenWallet
from kit.answers import Answer
from kit.refusal import Unavailable
from kit.work import Job, Outcome
from tests.support.database_clock import DatabaseClock
from tests.support.wallet_model_books import NOT_KEPT, Said, Wish
from tests.support.wallet_model_life import Life
from tests.support.wallet_model_real import Real, answered, compare, job_for
from tests.support.wallet_model_waiting import (
    FUND_FIRST,
    FUND_LONGEST,
    MOST_ASKS,
    PROVINCE_FIRST,
    PROVINCE_LONGEST,
)
from tests.support.wallets import (
    Purse,
    job_of,
    purse_on,
    registration_of,
    relation_of,
    snapshot,
)
from wallet.domain.commands import OpenQuota
from wallet.domain.patience import Insistence, Patience
from wallet.edge.sweeps import MOST, ask_silent, ask_silent_orders, expire_due

STEPS = 28
PROVINCES = Patience(
    first_seconds=PROVINCE_FIRST, longest_seconds=PROVINCE_LONGEST, most_asks=MOST_ASKS
)
LATER = {8: 1_800, 12: 3_600, 16: 86_400, 20: 2 * 86_400, 24: 5 * 86_400}
"""After which steps time passes, in seconds; after every other of these the sweep comes by."""


@asynccontextmanager
async def clocked(dsn: str) -> AsyncIterator[Purse]:
    """A wallet on a migrated database whose clock a test may put ahead."""
    waits = Insistence(first_seconds=FUND_FIRST, longest_seconds=FUND_LONGEST)
    clock = await DatabaseClock.of(dsn)
    async with purse_on(dsn, size=2, clock=clock, insistence=waits, patient=True) as purse:
        yield purse


async def live(purse: Purse, lives: Sequence[Life], steps: int = STEPS) -> None:
    """Let these lives happen; after each step answers and books are the model's."""
    began = datetime.now(UTC)
    await ahead(purse, 0)
    reals = [Real(life, began) for life in lives]
    await _born(purse, reals)
    sweeps = False
    for step in range(1, steps + 1):
        await _step(purse, reals, [(each, each.life.next()) for each in reals])
        if step in LATER:
            await _later(purse, reals, LATER[step])
            sweeps = not sweeps
            if sweeps:
                await _sweep(purse, reals)
            await _ask_again(purse, reals)
            await compare(purse, reals)
    await _to_the_end(purse, reals)
    assert datetime.now(UTC) - began < timedelta(seconds=1_500), "slower than the model's clock"


async def ahead(purse: Purse, seconds: int) -> None:
    """How far the database's clock is ahead of the machine's."""
    await DatabaseClock(purse.dsn).is_ahead(timedelta(seconds=seconds))


async def _born(purse: Purse, reals: Sequence[Real]) -> None:
    """Wallets are opened, and relations with sharers, the oldest first."""
    for real in reals:
        ages = [90 - share.number for share in real.life.model.shares]
        real.relations = [relation_of(real.person, age_days=age) for age in ages]
    opened = [job_of(OpenWallet(person=snapshot(real.person)), real.person) for real in reals]
    related = [
        job_of(OpenQuota(relation=relation), real.person)
        for real in reals
        for relation in real.relations
    ]
    registered = [job_of(registration_of(real.person), real.person) for real in reals]
    for outcome in await purse.cells.perform(0, [*opened, *registered, *related]):
        assert isinstance(outcome, Answer)
        assert outcome.status in (200, 201)
    rows = await purse.cells.pools[0].fetch("SELECT quota_id, relation_id FROM quota")
    quotas = {row["relation_id"]: row["quota_id"] for row in rows}
    for real in reals:
        real.quotas = [quotas[relation.relation_id] for relation in real.relations]


async def _step(purse: Purse, reals: Sequence[Real], wishes: list[tuple[Real, list[Wish]]]) -> None:
    """One batch: what one life asks goes in its order, all of one kind together.

    Whoever asks again in it, before an answer was kept, is told to ask later, and nothing else.
    """
    asked = [(real, wish, job_for(real, wish)) for real, each in wishes for wish in each]
    asked.sort(key=lambda each: (each[1].kind, type(each[2].command).__name__))
    outcomes = await performed(purse, [job for _, _, job in asked])
    undecided: set[tuple[UUID, str]] = set()
    for (real, wish, _), outcome in zip(asked, outcomes, strict=True):
        before = real.life.model.keys.get(wish.key or "")
        if wish.key is not None and (real.person, wish.key) in undecided:
            said = Said("in-progress")
        else:
            said = real.life.model.ask(wish)
        if wish.key is not None and said.code in NOT_KEPT:
            undecided.add((real.person, wish.key))
        real.life.told(wish, said)
        answered(real, wish, said, outcome, replayed=before is not None and before[0] == wish)
    await compare(purse, reals)


async def performed(purse: Purse, jobs: Sequence[Job]) -> list[Outcome]:
    """One batch. A busy machine may have no connection at once: then nothing was begun."""
    while True:
        try:
            return await purse.cells.perform(0, jobs)
        except Unavailable as away:
            if away.__cause__ is not None:
                raise


async def _later(purse: Purse, reals: Sequence[Real], seconds: int) -> None:
    for real in reals:
        real.life.model.pass_time(seconds)
    await ahead(purse, reals[0].life.model.now)


async def _sweep(purse: Purse, reals: Sequence[Real]) -> None:
    while await expire_due(purse.cells, 0) == MOST:
        pass
    for real in reals:
        real.life.model.sweep()
        real.life.history.append(f"{real.life.model.now:>8} the sweep")


async def _ask_again(purse: Purse, reals: Sequence[Real]) -> None:
    """Who keeps silent is asked again, once Kafka has what they were asked."""
    await purse.cells.pools[0].execute("DELETE FROM unpublished")
    while await ask_silent(purse.cells, 0) == MOST:
        pass
    while await ask_silent_orders(purse.cells, 0, PROVINCES) == MOST:
        pass
    for real in reals:
        real.life.model.ask_again()
        real.life.history.append(f"{real.life.model.now:>8} the sweeps ask again")


async def _to_the_end(purse: Purse, reals: Sequence[Real]) -> None:
    """I6: once the provinces have answered and every deadline is past, nothing is under way."""
    await _later(purse, reals, 92 * 86_400)
    await _sweep(purse, reals)
    await compare(purse, reals)
    while waiting := [(real, wishes) for real in reals if (wishes := _last_answers(real))]:
        await _step(purse, reals, waiting)
    for real in reals:
        for share in real.life.model.shares:
            real.same("under way", (share.fen["held"], share.fen["restoring"]), (0, 0))
            real.same("freezing", share.state == "freezing", False)


def _last_answers(real: Real) -> list[Wish]:
    model = real.life.model
    return [
        *(
            Wish("answer", {"errand": number, "yes": True, "own": True, "kind": errand.kind})
            for number, errand in enumerate(model.errands)
            if errand.state == "sent"
        ),
        *(
            Wish("fund", {"premium": number, "says": "accepted", "own": True, "levy": of.levy})
            for number, of in enumerate(model.premiums)
            if of.state == "asked"
        ),
    ]
