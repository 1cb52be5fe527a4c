"""The month's cases: cut while people pay, and closed with as many lines as are wanted.

A month needs roles that payments do not: they start with the case and end with it. Provinces that
nobody plays confirm what they are issued and pay what they owe, as the sandbox's do.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from contracts import events, topics
from contracts.clearing import Period
from kit.records import cloud_event_headers
from proof.adapters import read_topics
from proof.month_rows import MONTH_TOPICS, OF_MONTHS
from proof.months import months_tie_out
from proof.prefunds import prefunds_tie_out
from proof.report import read_months
from tests.bench.cases import CALLERS_OF_OPEN_LOOP, PaymentCases, fired
from tests.bench.choice import Choice
from tests.bench.figures import Figures, curve, stall
from tests.bench.generator import Generator, Shots
from tests.bench.ground import Ground
from tests.bench.machine import Memory, between
from tests.bench.payers import pay, payers_of
from tests.bench.proofs import audited, proved, said
from tests.support.databases import blocking
from tests.support.town import PLAYED
from tests.support.town_clearing import MonthTold
from tests.support.town_clerks import clerk_of
from tests.support.town_people import Messenger, World
from tests.support.town_until import until
from tests.support.wallets import purse_on

CUT_RATE = 300
"""Payments a second while the month is cut: fewer than a busy machine can take, so that what is
slow is the cut's doing."""

AFTERWARDS_SECONDS = 1.0
"""What waited for the cut may be answered a while after it."""

ROLES = (("settlement", "relay"), ("settlement", "sweep"), ("wallet", "sweep"))
WITHIN_SECONDS = 600.0
LINES_A_SECOND_AT_LEAST = 500


@contextmanager
def clearing(ground: Ground) -> Iterator[None]:
    """Whatever a month needs to run, at rest."""
    site = ground.site
    port = int(site.programs["settlement"].env["PORT"])
    names = [site.begin("settlement", "api", port=port)]
    names += [site.begin(service, role) for service, role in ROLES]
    site.watchman.await_ready(names)
    for name in names:
        ground.watch(name)
    blocking(ground.at_rest())
    yield
    blocking(site.watchman.stop(*names))


@asynccontextmanager
async def next_month(ground: Ground) -> AsyncIterator[MonthTold]:
    """The month that is cut next, before a clerk for clearing who asks again where need be."""
    stack = ground.site.stack
    [row] = await ground.site.rows("wallet", "SELECT last_cut FROM clearing_clock")
    year, month = map(int, row["last_cut"].split("-"))
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        messenger = Messenger(http=http, patient=True)
        world = World(messenger=messenger, url=stack["sandbox"], gateway=stack["gateway"])
        clerk = await clerk_of(world, "clearing")
        yield MonthTold(clerk=clerk, period=f"{year + month // 12}-{month % 12 + 1:02}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A month, and between which moments a clerk waited for its cut; by the monotonic clock."""

    period: str
    since: float
    until: float


def cut(ground: Ground, generator: Generator, choice: Choice) -> Figures:
    """Payments at a fixed rate; in the middle of them their month is cut."""
    cases = PaymentCases(ground, generator, choice)
    order = replace(
        cases.order(cases.script("open"), CALLERS_OF_OPEN_LOOP),
        rate=CUT_RATE,
        count=CUT_RATE * choice.seconds,
    )
    with clearing(ground):
        generator.write(order)
        before = ground.meter.look()
        with ThreadPoolExecutor(1) as clerk:
            cutting = clerk.submit(asyncio.run, cut_amid(ground, choice.seconds / 2))
            shots = generator.fire(order)
            done = cutting.result()
        figures = fired(shots, before, ground.meter.look()).figures
        figures |= stall(shots, done.since, done.until + AFTERWARDS_SECONDS)
        balanced = blocking(balance(ground, done.period))
        proofs = cases.proofs([shots])
        found = {**proofs["invariants"], **blocking(months_proved(ground))}
    return {
        **figures,
        "intended_rate": CUT_RATE,
        "cut_ms": round(1000 * (done.until - done.since), 1),
        "sides": sides(shots, done),
        **balanced,
        **proofs,
        "invariants": found,
        "curve_ms": curve(shots.latencies),
    }


async def cut_amid(ground: Ground, after_seconds: float) -> Cut:
    """Cut the month once payments have been flowing for so long."""
    begun = time.perf_counter()
    async with next_month(ground) as month:
        await asyncio.sleep(max(0.0, begun + after_seconds - time.perf_counter()))
        since = time.perf_counter()
        await month.step("cut")
        return Cut(period=month.period, since=since, until=time.perf_counter())


def sides(shots: Shots, done: Cut) -> dict[str, int]:
    """How many payments were answered before, during and after the cut: it has to be amid them."""
    found = {
        "before": sum(at < done.since for at in shots.ended),
        "during": sum(done.since <= at <= done.until for at in shots.ended),
        "after": sum(at > done.until for at in shots.ended),
    }
    assert found["before"], "nobody had paid when the month was cut"
    assert found["after"], "nobody paid after the month was cut"
    return found


async def balance(ground: Ground, period: str) -> Figures:
    """Wait until settlement has balanced a month; how long after it was told."""
    await state(ground, period, "balanced_at")
    return await spent_on(ground, period)


async def state(ground: Ground, period: str, column: str) -> None:
    """Wait until a month has a time in this column of settlement's."""

    async def is_there() -> bool:
        sql = "SELECT to_jsonb(month) ->> $2 FROM period AS month WHERE period = $1"
        rows = await ground.site.rows("settlement", sql, period, column)
        return bool(rows and rows[0][0])

    await until(is_there, f"{period} has {column}", WITHIN_SECONDS)


async def spent_on(ground: Ground, period: str) -> Figures:
    """Seconds from the moment a month's cut was told to each of the states it has reached; and
    from the cut itself to the telling. All by the clock of the databases.
    """
    [told] = await ground.site.rows(
        "wallet", "SELECT cut_at, told_at FROM period_cut WHERE period = $1", period
    )
    [row] = await ground.site.rows("settlement", "SELECT * FROM period WHERE period = $1", period)
    found = {"told_after_seconds": round((told["told_at"] - told["cut_at"]).total_seconds(), 3)}
    for name in ("balanced", "issued", "confirmed", "paid", "closed"):
        at = row[f"{name}_at"]
        if at is not None:
            found[f"{name}_seconds"] = round((at - told["told_at"]).total_seconds(), 3)
    return found


def close(ground: Ground, lines: int) -> Figures:
    """A month with at least so many lines: cut, balanced, issued, paid, closed; memory meanwhile.

    Two of these steps are a clerk's, who takes them as soon as they can be taken.
    """
    with clearing(ground):
        blocking(filled(ground, lines))
        watched = [name for name in ground.site.watchman.names if name != "sandbox"]
        before = ground.meter.look()
        with Memory(ground.meter, *map(ground.called, watched)) as memory:
            figures = blocking(closed(ground))
        after = ground.meter.look()
        found, payments = blocking(proved(ground.wallet_dsn, []))
        found |= blocking(months_proved(ground))
    beside = between(before, after, count=max(1, figures["lines"]), generator_seconds=0.0)
    return {
        **beside,
        **figures,
        "cpu_us": round(sum(beside["cpu_us_by"].values()), 1),
        **memory.figures(),
        "invariants": found,
        "payments_in_ledger": payments,
    }


async def filled(ground: Ground, lines: int) -> None:
    """See to it that the month that is cut next has so many lines, all of them recorded."""
    async with next_month(ground) as month:
        sql = "SELECT coalesce(sum(lines), 0) FROM received WHERE period = $1"
        [row] = await ground.site.rows("settlement", sql, month.period)
    missing = max(0, lines - int(row[0]))
    if missing:
        before = await ground.recorded()
        async with purse_on(ground.wallet_dsn) as purse:
            await pay(purse, await payers_of(purse, "random"), missing)
        patience = 60 + missing / LINES_A_SECOND_AT_LEAST

        async def recorded() -> bool:
            return await ground.recorded() >= before + missing

        await until(recorded, f"{missing} lines are recorded", patience)
    await ground.at_rest()


async def closed(ground: Ground) -> Figures:
    """Take the month that is cut next through all its states."""
    async with next_month(ground) as month:
        await month.step("cut")
        await state(ground, month.period, "balanced_at")
        await month.step("issue")
        told = Period.model_validate_json(json.dumps(await month.seen()))
        await speak_for_provinces(ground, told)
        await state(ground, month.period, "paid_at")
        await month.step("close")
        figures = await spent_on(ground, month.period)
    sql = "SELECT sum(lines), count(*) FROM total WHERE period = $1"
    [row] = await ground.site.rows("settlement", sql, month.period)
    return {
        "lines": int(row[0]),
        "totals": row[1],
        "transfers": len(told.transfers),
        **figures,
        "seconds": figures["closed_seconds"],
    }


async def speak_for_provinces(ground: Ground, month: Period) -> None:
    """Each province that nobody plays confirms, and pays what it owes."""
    assert month.version is not None
    said_by: list[tuple[str, events.Told]] = [
        (
            each.province,
            events.ClearingAnswered(
                period=month.period, version=month.version, answer="confirmed", lines=None
            ),
        )
        for each in month.answers
    ]
    said_by += [
        (
            each.payer,
            events.ClearingPaid(
                period=month.period,
                version=month.version,
                tier="interprovince",
                payer=each.payer,
                payee=each.payee,
                amount_fen=each.amount_fen,
                paid_on=datetime.now(UTC).date(),
            ),
        )
        for each in month.transfers
    ]
    broker = ground.site.broker
    producer = broker.producer()
    await producer.start()
    try:
        sent = [
            await producer.send(
                broker.physical(topics.from_province(province).name),
                key=month.period.encode(),
                value=body.model_dump_json().encode(),
                headers=headers_of(province, body),
            )
            for province, body in said_by
            if province not in PLAYED
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def headers_of(province: str, body: events.Told) -> Any:
    return cloud_event_headers(
        id=str(uuid4()),
        type=body.TYPE,
        source=f"/provinces/{province}",
        subject=None,
        time=datetime.now(UTC),
        sequence=None,
        traceparent=None,
    )


async def months_proved(ground: Ground) -> dict[str, str]:
    """I9 whole, statements of every tier and prefunds included, and settlement's own audits."""
    stack = ground.site.stack
    records = await read_topics(
        str(stack["kafka"]), str(stack["topic_prefix"]), topics=MONTH_TOPICS, types=OF_MONTHS
    )
    months = await read_months(stack, records, ground.site.closed)
    found = [*months_tie_out(months), *prefunds_tie_out(months)]
    return {"I9": said(found), **await audited(ground.settlement_dsn)}
