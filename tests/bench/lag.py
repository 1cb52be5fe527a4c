"""From written to acknowledged by Kafka, by transaction; and how fast a full outbox drains.

`written_at` is taken inside the transaction and the other end after the acknowledgement, and of
the relay's buckets the upper bound is shown: never less than the time from commit to
acknowledgement.
"""

from __future__ import annotations

import asyncio
import math
import re
import time

from kit.answers import Answer
from tests.bench.figures import Figures
from tests.bench.ground import BATCH, Ground
from tests.bench.letters import AMOUNT_FEN
from tests.bench.machine import between
from tests.bench.payers import performed
from tests.bench.proofs import proved
from tests.support.town_until import until
from tests.support.wallets import Purse, job_of, payment_of, purse_on

RELAY = "wallet-relay"
DRAINED_WITHIN_SECONDS = 600.0
_BUCKET = re.compile(r'relay_lag_seconds_bucket\{le="([^"]+)"')

Lags = dict[float, float]
"""How many transactions took at most so many seconds to be acknowledged, since the relay began."""


async def lags_of(ground: Ground) -> Lags:
    found = await ground.scraped(RELAY)
    return {
        float(bucket[1]): count for name, count in found.items() if (bucket := _BUCKET.match(name))
    }


def lag_between(before: Lags, after: Lags) -> Figures:
    """The median, the 99th of 100 and the worst, in ms."""
    rose = {bound: count - before.get(bound, 0) for bound, count in sorted(after.items())}
    of_all = rose[math.inf]

    def within(share: float) -> float:
        bound = next(bound for bound, count in rose.items() if count >= share * of_all)
        return round(1000 * bound, 1)

    return {"lag_p50_ms": within(0.5), "lag_p99_ms": within(0.99), "lag_max_ms": within(1)}


async def drain(ground: Ground, rows: int) -> Figures:
    """Payments stop, `rows` events wait, then a relay starts: events a second to Kafka."""
    await ground.at_rest()
    await ground.site.watchman.stop(RELAY)
    async with purse_on(ground.wallet_dsn) as purse:
        await paid(ground, purse, rows)
    waiting = await ground.unpublished()
    ground.site.begin("wallet", "relay", RELAY)
    await ground.site.watchman.first_ready(RELAY)
    ground.watch(RELAY)
    before = await asyncio.to_thread(ground.meter.look)
    # The first chunk may be gone; the clock starts at what is left.
    left, began = await ground.unpublished(), time.perf_counter()
    await until(ground.drained, "the outbox is empty", DRAINED_WITHIN_SECONDS)
    seconds = time.perf_counter() - began
    after = await asyncio.to_thread(ground.meter.look)
    beside = between(before, after, count=max(1, left), generator_seconds=0.0)
    found, payments = await proved(ground.wallet_dsn, [])
    spent = {name: cost for name, cost in beside["cpu_us_by"].items() if cost}
    return {
        **beside,
        "cpu_us": round(sum(cost for name, cost in spent.items() if "relay" in name), 1),
        "cpu_us_by": spent,
        "waiting": waiting,
        "rate": round(left / seconds, 1),
        "seconds": round(seconds, 2),
        "invariants": found,
        "payments_in_ledger": payments,
    }


async def paid(ground: Ground, purse: Purse, rows: int) -> None:
    """Payments straight into the ledger, in full batches, until so many events wait."""
    made, waiting, per_payment = 0, 0, 1
    while waiting < rows:
        chosen = [ground.one[(made + n) % len(ground.one)] for n in range(BATCH)]
        jobs = [
            job_of(payment_of(each.person_id, AMOUNT_FEN), each.person_id, f"drain-{made + n}")
            for n, each in enumerate(chosen)
        ]
        for outcome in await performed(purse, jobs):
            assert isinstance(outcome, Answer), outcome
            assert outcome.status == 201, outcome
        made += BATCH
        if made == BATCH:
            per_payment = await ground.unpublished() // made
        waiting = made * per_payment
