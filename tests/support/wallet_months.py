"""Months of a wallet in tests: cut and told, and counted once more by other code.

What was told comes from the outbox, whose totals are made of entries. Here lines are made of
payments, allocations and refunds alone: what was charged fills the allocations from the first
(R12), so each row is a stretch between two marks of the running total.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from contracts import events
from kit.answers import Answer
from kit.postgres import Pool
from tests.support.wallets import Purse
from wallet.edge.months import Months


class Pair(NamedTuple):
    """Who owes whom, and for what."""

    debtor: str
    creditor: str
    kind: str


class Total(NamedTuple):
    """How many lines there are, what they sum up to, and a hash of which they are."""

    lines: int
    sum_fen: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one quota gave to a payment, or got back of it, in fen; its cause and its month."""

    period: str
    cause_id: str
    quota_id: str
    pair: Pair
    amount: int

    @property
    def hash64(self) -> int:
        text = f"{self.cause_id}|{self.quota_id}|{self.amount}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


_LINES = """
WITH laid AS (
    SELECT
        payment_id, quota_id, sharer_admdvs, amount,
        sum(amount) OVER (PARTITION BY payment_id ORDER BY ordinal) AS until
    FROM allocation
),
opposite AS (
    SELECT
        refund.refund_id, refund.payment_id, refund.period, refund.amount,
        refund.kind = 'retake' AS again,
        payment.captured - sum(CASE refund.kind WHEN 'retake' THEN -refund.amount
            ELSE refund.amount END) OVER (
            PARTITION BY refund.payment_id ORDER BY refund.at, refund.refund_id
        ) AS charged
    FROM refund JOIN payment USING (payment_id)
),
moved AS (
    SELECT payment_id AS cause_id, payment_id, period, 0 AS low, captured AS high, 1 AS sign
    FROM payment WHERE captured > 0
    UNION ALL
    SELECT refund_id, payment_id, period, charged, charged + amount, -1
    FROM opposite WHERE NOT again
    UNION ALL
    SELECT refund_id, payment_id, period, charged - amount, charged, 1
    FROM opposite WHERE again
)
SELECT
    moved.period, moved.cause_id::text, laid.quota_id::text, laid.sharer_admdvs AS debtor,
    coalesce(payment.mdtrtarea_admvs, payment.insuplc_admdvs) AS creditor,
    payment.purpose AS kind,
    (moved.sign * (least(laid.until, moved.high) - greatest(laid.until - laid.amount, moved.low))
    )::bigint AS amount
FROM moved
JOIN laid USING (payment_id)
JOIN payment USING (payment_id)
WHERE least(laid.until, moved.high) > greatest(laid.until - laid.amount, moved.low)
"""


async def lines_of(pool: Pool) -> list[Line]:
    """Every line of a cell, by its payments, allocations and refunds."""
    return [
        Line(
            period=row["period"],
            cause_id=row["cause_id"],
            quota_id=row["quota_id"],
            pair=Pair(row["debtor"], row["creditor"], row["kind"]),
            amount=row["amount"],
        )
        for row in await pool.fetch(_LINES)
    ]


def added_up(lines: Iterable[Line], period: str) -> dict[Pair, Total]:
    """What these lines add up to in a month."""
    found: dict[Pair, list[Line]] = defaultdict(list)
    for line in lines:
        if line.period == period:
            found[line.pair].append(line)
    return {
        pair: Total(
            len(of), sum(line.amount for line in of), f"{sum(x.hash64 for x in of) % 2**64:016x}"
        )
        for pair, of in found.items()
    }


async def told_of(pool: Pool, period: str) -> list[dict[str, Any]]:
    """What a cell has told of a month, as its model reads it."""
    rows = await pool.fetch(
        "SELECT topic, key, subject, event_id, data FROM outbox "
        "WHERE type = $1 AND key = $2 ORDER BY position",
        events.PeriodCut.TYPE,
        period,
    )
    for row in rows:
        events.PeriodCut.model_validate_json(row["data"])
    assert {row["topic"] for row in rows} <= {"wallet.period"}
    return [orjson.loads(row["data"]) | {"subject": row["subject"]} for row in rows]


def totals_in(told: Iterable[dict[str, Any]]) -> dict[Pair, Total]:
    """The totals of a told month by who owes whom."""
    found = [line for each in told for line in each["lines"]]
    totals = {
        Pair(line["debtor"], line["creditor"], line["kind"]): Total(
            line["count"], line["sum_fen"], line["hash"]
        )
        for line in found
    }
    assert len(totals) == len(found), "each pair is told once"
    return totals


async def all_is_told(purse: Purse, *periods: str) -> list[Line]:
    """These months were told once by every cell, as their lines add up; the lines of all cells."""
    everywhere = []
    for cell, pool in enumerate(purse.cells.pools):
        lines = await lines_of(pool)
        for period in periods:
            [told] = await told_of(pool, period)
            assert (told["cell"], told["cells"]) == (cell, len(purse.cells.pools))
            assert told["subject"] == told["period"] == period
            assert totals_in([told]) == added_up(lines, period), (cell, period)
        everywhere += lines
    return everywhere


def months_of(purse: Purse, *, early: bool = True) -> Months:
    return Months(purse.cells, dsn=purse.dsn, early=early)


async def cut(months: Months, period: str) -> str:
    """Cut a month: `cut`, or the refusal's code."""
    given: Answer = await months.cut(period, f"/v1/periods/{period}/cut")
    told = orjson.loads(given.body)
    return str(told["code"] if given.status >= 400 else told["state"])


async def last_cut_is(purse: Purse, period: str) -> None:
    """Have every cell believe that this was the last month that was cut, before anything was."""
    for pool in purse.cells.pools:
        assert await pool.fetchval("SELECT count(*) FROM period_cut") == 0
        await pool.execute("UPDATE clearing_clock SET last_cut = $1", period)
