"""From a payment to settlement's line: how long it takes, and how fast a backlog is recorded.

Both databases are on one server, which keeps the time of each commit: a lag is from the commit of
the payment to the commit of its line, and whoever looks between the two sees the one alone.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from tests.bench.figures import Figures
from tests.bench.ground import Ground
from tests.bench.machine import Memory, between
from tests.bench.payers import Pairs, pay, payers_of
from tests.bench.proofs import lines_proved, proved
from tests.support.town_until import until
from tests.support.wallets import purse_on

SETTLEMENT = "settlement-consume"
LINES_WITHIN_SECONDS = 60.0
RECORDS_A_SECOND_AT_LEAST = 500
"""How long a backlog is waited for at most; so slow is no machine."""

_PAID = """
SELECT payment_id, pg_xact_commit_timestamp(xmin) AS at
FROM payment
WHERE captured_at >= $1
"""
_RECORDED = """
SELECT cause_id, pg_xact_commit_timestamp(xmin) AS at
FROM line
WHERE recorded_at >= $1 AND cause_id = payment_id
"""


async def line_lags(ground: Ground, since: datetime) -> list[float]:
    """Seconds from commit to commit of each payment that was captured at one go since then."""

    async def lags() -> list[float] | None:
        paid = await ground.site.rows("wallet", _PAID, since)
        lines = await ground.site.rows("settlement", _RECORDED, since)
        recorded = {line["cause_id"]: line["at"] for line in lines}
        if any(payment["payment_id"] not in recorded for payment in paid):
            return None
        return [
            (recorded[payment["payment_id"]] - payment["at"]).total_seconds() for payment in paid
        ]

    return await until(lags, "every payment has its line", LINES_WITHIN_SECONDS)


async def drain_lines(ground: Ground, rows: int, pairs: Pairs) -> Figures:
    """Settlement stops, `rows` payments are told, then it starts: events a second to lines."""
    await ground.at_rest()
    await ground.site.watchman.stop(SETTLEMENT)
    before_all = await ground.recorded()
    async with purse_on(ground.wallet_dsn) as purse:
        payers = await payers_of(purse, pairs)
        await pay(purse, payers, rows)
    patience = 60 + rows / RECORDS_A_SECOND_AT_LEAST
    await ground.at_rest(within_seconds=patience)
    figures = await recording(ground, before_all + rows, patience)
    found, payments = await proved(ground.wallet_dsn, [])
    return {
        "waiting": rows,
        **figures,
        "invariants": {**found, **await lines_proved(ground.site.databases)},
        "payments_in_ledger": payments,
    }


async def recording(ground: Ground, until_lines: int, patience: float) -> Figures:
    """Settlement starts on its backlog and gets through it."""
    ground.site.begin("settlement", "consume", SETTLEMENT)
    await ground.site.watchman.first_ready(SETTLEMENT)
    ground.watch(SETTLEMENT)

    async def recorded() -> bool:
        return await ground.recorded() >= until_lines

    with Memory(ground.meter, SETTLEMENT) as memory:
        before = await asyncio.to_thread(ground.meter.look)
        # The first batch may be recorded; the clock starts at what is left.
        left, began = until_lines - await ground.recorded(), time.perf_counter()
        await until(recorded, "settlement has every line", patience)
        seconds = time.perf_counter() - began
        after = await asyncio.to_thread(ground.meter.look)
    beside = between(before, after, count=max(1, left), generator_seconds=0.0)
    spent = {name: cost for name, cost in beside["cpu_us_by"].items() if cost}
    return {
        **beside,
        "cpu_us": round(sum(cost for name, cost in spent.items() if "settlement" in name), 1),
        "cpu_us_by": spent,
        "rate": round(left / seconds, 1),
        "seconds": round(seconds, 2),
        **memory.figures(),
    }


async def hot_pair(ground: Ground, rows: int) -> Figures:
    """The same backlog twice: of random pairs, then of everybody owing the same to the same."""
    random = await drain_lines(ground, rows, "random")
    one = await drain_lines(ground, rows, "one")
    return {
        **one,
        "random_rate": random["rate"],
        "random_cpu_us": random["cpu_us"],
        "ratio": round(one["rate"] / random["rate"], 2),
    }
