"""Everything asked of one stack: wait until it is at rest, then check the invariants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proof.adapters import (
    Record,
    passages_of,
    read_logs,
    read_metrics,
    read_secrets,
    read_topics,
)
from proof.answers import doubled, lost
from proof.databases import (
    SANDBOX,
    count_unsettled,
    dump,
    read_consumed,
    read_ledger,
    read_outbox,
    read_provinces,
    read_sagas,
)
from proof.delivery import drained, ordered
from proof.ledger import conservation, overdraft, recomputed
from proof.mirror import mirrored
from proof.month_answers import clerk_of, see_months, see_prefunds
from proof.month_rows import (
    closed_in,
    cuts_in,
    issued_in,
    paid_in,
    read_recorded_lines,
    read_wallet_lines,
    topped_up_in,
)
from proof.months import months_tie_out
from proof.prefunds import prefunds_tie_out
from proof.privacy import Secrets, disclosed
from proof.rows import (
    Consumed,
    Exchange,
    Ledger,
    Months,
    MonthSeen,
    Passage,
    Provinces,
    Saga,
    Told,
)
from proof.sagas import WITHIN_SECONDS, unended

WALLET, SETTLEMENT = "wallet", "settlement"
SETTLED_SECONDS = 30.0
SOONEST_SECONDS, LATEST_SECONDS = 0.05, 1.0
"""Between two looks at a stack that is not at rest."""
SHOWN = 3

TITLES = {
    "I1": ("nothing lost: each success is in the ledger", "不丢：每笔成功应答均已入账"),
    "I2": ("nothing double: one key, one effect, one answer", "不重：一键一效，重放一致"),
    "I3": ("conservation: granted is the sum of the books", "守恒：额度等于各账之和"),
    "I4": ("no overdraft: no book is below zero", "不透支：各账均不为负"),
    "I5": ("balances are the sum of their entries", "余额等于分录之和"),
    "I6": ("every saga ends, or is parked with a reason", "每个流程必有终态，或附因转经办"),
    "I7": ("all is published, all is consumed", "事件全部发出并全部消费"),
    "I8": ("each key in order, without a gap", "同键有序，无缺号"),
    "I9": ("months tie out in every tier, and are closed once", "各级清算勾稽一致，关账不变"),
    "I12": ("nobody's number or name in clear", "无证件号或姓名明文"),
    "I13": ("provinces have frozen what quotas count on", "各省冻结与额度一致"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one invariant looks like; `detail` says what was looked at, or what is wrong."""

    id: str
    title_en: str
    title_zh: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A stack's rows, read while it was at rest."""

    ledger: Ledger
    outbox: Sequence[Told]
    consumed: Sequence[Consumed]
    parked: frozenset[tuple[str, str, str]]
    records: Sequence[Record]
    provinces: Provinces
    sagas: Sequence[Saga] = ()
    months: Months = field(default_factory=Months)


async def check_stack(
    stack: Mapping[str, Any],
    history: Iterable[Exchange] | None = None,
    *,
    logs: Path | None = None,
    topic_prefix: str = "",
    settled_seconds: float = SETTLED_SECONDS,
    saga_seconds: float = WITHIN_SECONDS,
    closed: MutableMapping[str, MonthSeen] | None = None,
) -> list[Result]:
    """Check a stack as its file `stack.json` describes it.

    Waits, `settled_seconds` at most, until nothing is under way. `history` is what callers were
    answered, `logs` the folder in which the services' logs lie. `saga_seconds` is for how long
    a saga may be due: the longest wait between two asks, and more. `closed` are the stack's months
    that were closed at an earlier check, if there was one; those of this one are added.
    """
    deadline = time.monotonic() + settled_seconds
    prefix = str(stack.get("topic_prefix") or topic_prefix)
    pause = SOONEST_SECONDS
    while True:
        under_way = await count_unsettled(stack["databases"])
        late = time.monotonic() > deadline
        if not under_way or late:
            facts = await read_facts(stack, prefix, {} if closed is None else closed)
            results = judge(facts, tuple(history or ()), under_way, saga_seconds)
            if late or all(result.ok for result in results):
                break
        await asyncio.sleep(pause)
        pause = min(2 * pause, LATEST_SECONDS)
    return [*results, await check_privacy(stack, facts.records, logs)]


async def read_facts(
    stack: Mapping[str, Any], prefix: str, closed: MutableMapping[str, MonthSeen]
) -> Facts:
    databases: Mapping[str, str] = stack["databases"]
    outbox: list[Told] = []
    consumed: list[Consumed] = []
    parked: set[tuple[str, str, str]] = set()
    # Databases before topics: what they say was published has to be there by then.
    for name, dsn in databases.items():
        outbox += await read_outbox(dsn)
        read, waiting = await read_consumed(name, dsn)
        consumed += read
        parked |= waiting
    ledger = await read_ledger(databases[WALLET])
    provinces = await read_provinces(databases[SANDBOX])
    sagas = await read_sagas(databases)
    records = await read_topics(str(stack["kafka"]), prefix)
    return Facts(
        ledger=ledger,
        provinces=provinces,
        sagas=sagas,
        outbox=outbox,
        consumed=consumed,
        parked=frozenset(parked),
        records=records,
        months=await read_months(stack, records, closed),
    )


async def read_months(
    stack: Mapping[str, Any], records: Sequence[Record], closed: MutableMapping[str, MonthSeen]
) -> Months:
    """What I9 looks at; whatever was cut, or has a line, is asked for at the gateway."""
    databases: Mapping[str, str] = stack["databases"]
    lines, replayed = await read_wallet_lines(databases[WALLET])
    recorded = await read_recorded_lines(databases[SETTLEMENT])
    cuts = cuts_in(records)
    periods = {each.period for each in cuts} | {each.period for each in lines}
    async with clerk_of(stack) as clerk:
        seen = await see_months(clerk, periods, lines, closed)
        prefunds = await see_prefunds(clerk)
    return Months(
        lines=tuple(lines),
        replayed=tuple(replayed),
        recorded=tuple(recorded),
        cuts=tuple(cuts),
        issued=tuple(issued_in(records)),
        closed=tuple(closed_in(records)),
        paid=tuple(paid_in(records)),
        topped_up=tuple(topped_up_in(records)),
        prefunds=prefunds,
        seen=seen,
    )


def judge(
    facts: Facts,
    history: Sequence[Exchange] = (),
    under_way: Mapping[str, int] | None = None,
    saga_seconds: float = WITHIN_SECONDS,
) -> list[Result]:
    """All invariants but I12 of one set of rows; `under_way` is only told."""
    ledger = facts.ledger
    # Dead letters are copies, with the sequences they came with.
    living = [record for record in facts.records if not record.topic.startswith("dead.")]
    published = [record.published() for record in living]
    waits = "; ".join(f"{name}: {count}" for name, count in (under_way or {}).items())
    pending = f"; still under way: {waits}" if waits else ""
    quotas = f"{len(ledger.quotas)} quotas, {len(ledger.payments)} payments"
    keys = f"{len(ledger.receipts)} answers kept, {len(history)} remembered by callers"
    events = f"{len(facts.outbox)} events, {len(published)} records"
    positions = f"{events}, {len(facts.consumed)} positions, {len(facts.parked)} keys parked"
    return [
        result("I1", lost(ledger, history), keys),
        result("I2", doubled(ledger, history), keys),
        result("I3", conservation(ledger), quotas),
        result("I4", overdraft(ledger), quotas),
        result("I5", recomputed(ledger), f"{quotas}, {len(ledger.flows)} sums of entries"),
        result("I6", unended(facts.sagas, saga_seconds), _open(facts.sagas) + pending),
        result(
            "I7",
            drained(facts.outbox, published, facts.consumed, facts.parked),
            positions + pending,
        ),
        result("I8", ordered(facts.outbox, published), events),
        result(
            "I9",
            [*months_tie_out(facts.months), *prefunds_tie_out(facts.months)],
            _seen(facts.months) + pending,
        ),
        result(
            "I13",
            mirrored(ledger, facts.provinces),
            f"{len(facts.provinces.frozen)} quotas in {len(facts.provinces.holders)} accounts"
            + pending,
        ),
    ]


def _seen(months: Months) -> str:
    statements = sum(len(month.statements) for month in months.seen)
    return (
        f"{len(months.seen)} months, {len(months.lines)} lines, {statements} statements,"
        f" {len(months.prefunds)} prefunds"
    )


def _open(sagas: Sequence[Saga]) -> str:
    parked = sum(saga.parked is not None for saga in sagas)
    return f"{len(sagas) - parked} under way, {parked} with a clerk"


async def check_privacy(
    stack: Mapping[str, Any], records: Sequence[Record], logs: Path | None
) -> Result:
    """I12 over everything that can be read; the sandbox's own database is the outside world."""
    secrets = Secrets(await read_secrets(stack))
    passages: list[Passage] = [
        *passages_of(records),
        *await read_metrics(stack),
        *(read_logs(logs) if logs is not None else ()),
    ]
    violations = disclosed(secrets, passages)
    looked = sum(len(passage.content) for passage in passages)
    for name, dsn in stack["databases"].items():
        if name == SANDBOX:
            continue
        async for passage in dump(name, dsn):
            looked += len(passage.content)
            violations += disclosed(secrets, [passage])
    return result("I12", violations, f"{secrets.count} secrets, {looked:,} bytes")


def result(name: str, violations: Sequence[str], looked_at: str) -> Result:
    title_en, title_zh = TITLES[name]
    shown = "; ".join(violations[:SHOWN])
    more = len(violations) - SHOWN
    if more > 0:
        shown += f"; and {more} more"
    return Result(
        id=name,
        title_en=title_en,
        title_zh=title_zh,
        ok=not violations,
        detail=shown or looked_at,
    )
