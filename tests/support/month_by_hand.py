"""A month worked out by hand: between three provinces, in two cells, with all that I9 looks at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from proof.rows import Closed, Cut, Issued, Line, Months, MonthSeen, Paid, StatementSeen

MONTH, DIGEST = "2026-11", "d" * 64
SHENZHEN, GUANGZHOU, CHENGDU, ALAR = "440300", "440100", "510100", "659002"
GUANGDONG, SICHUAN, XPCC = "440000", "510000", "660000"
PHARMACY, HOSPITAL = "P65900200001", "H44030000001"

Key = tuple[str, str, str]
Sums = tuple[int, int, int, int]


def line(cause: str, quota: str, debtor: str, creditor: str, amount: int, **other: Any) -> Line:
    told: dict[str, Any] = {
        "cell": 0,
        "payment_id": cause,
        "period": MONTH,
        "captured_period": MONTH,
        "kind": "pharmacy",
        "institution": PHARMACY,
    }
    return Line(
        cause_id=cause,
        quota_id=quota,
        debtor=debtor,
        creditor=creditor,
        amount=amount,
        **(told | other),
    )


PAID_BY_TWO = (line("P1", "Q1", SHENZHEN, ALAR, 70), line("P1", "Q2", CHENGDU, ALAR, 30))
LATE = line("R1", "Q1", SHENZHEN, ALAR, -20, payment_id="P0", captured_period="2026-10")
INSIDE = line("P2", "Q3", SHENZHEN, GUANGZHOU, 50, kind="inpatient", institution=HOSPITAL, cell=1)
THE_OTHER_WAY = line("P3", "Q4", ALAR, SHENZHEN, 15, kind="outpatient", institution=HOSPITAL)
PREMIUM = line("P4", "Q1", SHENZHEN, ALAR, 40, kind="premium_390", institution="")
LINES = (*PAID_BY_TWO, LATE, INSIDE, THE_OTHER_WAY, PREMIUM)

CARE: Key = (SHENZHEN, ALAR, "pharmacy")
FROM_CHENGDU: Key = (CHENGDU, ALAR, "pharmacy")
HOME: Key = (SHENZHEN, GUANGZHOU, "inpatient")
BACK: Key = (ALAR, SHENZHEN, "outpatient")
LEVY: Key = (SHENZHEN, ALAR, "premium_390")
GIVEN: Mapping[Key, Sums] = {
    CARE: (2, 50, 1, -20),
    FROM_CHENGDU: (1, 30, 0, 0),
    HOME: (1, 50, 0, 0),
    BACK: (1, 15, 0, 0),
    LEVY: (1, 40, 0, 0),
}


def told(lines: Mapping[Key, Sums]) -> list[dict[str, Any]]:
    return [
        {
            "debtor": debtor,
            "creditor": creditor,
            "kind": kind,
            "count": count,
            "sum_fen": fen,
            "adjustments_count": late,
            "adjustments_fen": late_fen,
        }
        for (debtor, creditor, kind), (count, fen, late, late_fen) in lines.items()
    ]


def statement(tier: str, whose: str, lines: Mapping[Key, Sums], **more: Any) -> StatementSeen:
    count, fen, late, late_fen = map(sum, zip(*lines.values(), strict=True))
    [totals] = told({("", "", ""): (count, fen, late, late_fen)})
    body = {
        "period": MONTH,
        "tier": tier,
        "version": 1,
        "digest": DIGEST,
        "lines": told(lines),
        "totals": totals,
        "net": [],
        "diagonal": [],
        **more,
    }
    return StatementSeen(tier=tier, whose=whose, body=json.dumps(body), again=json.dumps(body))


def those(*keys: Key) -> dict[Key, Sums]:
    return {key: GIVEN[key] for key in keys}


NATIONAL = statement(
    "national",
    "",
    {
        (GUANGDONG, XPCC, "pharmacy"): (2, 50, 1, -20),
        (GUANGDONG, XPCC, "premium_390"): (1, 40, 0, 0),
        (SICHUAN, XPCC, "pharmacy"): (1, 30, 0, 0),
        (XPCC, GUANGDONG, "outpatient"): (1, 15, 0, 0),
    },
    net=[
        {"payer": GUANGDONG, "payee": XPCC, "amount_fen": 75},
        {"payer": SICHUAN, "payee": XPCC, "amount_fen": 30},
    ],
    diagonal=told({(GUANGDONG, GUANGDONG, "inpatient"): (1, 50, 0, 0)}),
)
STATEMENTS = (
    NATIONAL,
    statement("province", GUANGDONG, those(CARE, HOME, BACK, LEVY)),
    statement("province", SICHUAN, those(FROM_CHENGDU)),
    statement("province", XPCC, those(CARE, FROM_CHENGDU, BACK, LEVY)),
    statement("city", GUANGZHOU, those(HOME)),
    statement("city", SHENZHEN, those(CARE, HOME, BACK, LEVY)),
    statement("city", CHENGDU, those(FROM_CHENGDU)),
    statement("city", ALAR, those(CARE, FROM_CHENGDU, BACK, LEVY)),
    statement(
        "institution",
        HOSPITAL,
        {
            (SHENZHEN, HOSPITAL, "inpatient"): (1, 50, 0, 0),
            (ALAR, HOSPITAL, "outpatient"): (1, 15, 0, 0),
        },
    ),
    statement(
        "institution",
        PHARMACY,
        {
            (SHENZHEN, PHARMACY, "pharmacy"): (2, 50, 1, -20),
            (CHENGDU, PHARMACY, "pharmacy"): (1, 30, 0, 0),
        },
    ),
)


def hash_of(*texts: str) -> str:
    numbers = [int.from_bytes(sha256(text.encode()).digest()[:8], "big") for text in texts]
    return f"{sum(numbers) % 2**64:016x}"


CUTS = (
    Cut(
        period=MONTH,
        cell=0,
        cells=2,
        totals={
            CARE: (2, 50, hash_of("P1|Q1|70", "R1|Q1|-20")),
            FROM_CHENGDU: (1, 30, hash_of("P1|Q2|30")),
            BACK: (1, 15, hash_of("P3|Q4|15")),
            LEVY: (1, 40, hash_of("P4|Q1|40")),
        },
    ),
    Cut(period=MONTH, cell=1, cells=2, totals={HOME: (1, 50, hash_of("P2|Q3|50"))}),
)


def issued(province: str, lines: Any, inside: Mapping[Key, Any] = {}) -> Issued:
    return Issued(
        event_id=f"issued to {province}",
        province=province,
        period=MONTH,
        version=1,
        digest=DIGEST,
        lines=lines,
        inside=inside,
    )


ISSUED = (
    issued(
        GUANGDONG,
        {
            (XPCC, "pharmacy", "pays"): (2, 50),
            (XPCC, "premium_390", "pays"): (1, 40),
            (XPCC, "outpatient", "receives"): (1, 15),
        },
        {HOME: (1, 50)},
    ),
    issued(SICHUAN, {(XPCC, "pharmacy", "pays"): (1, 30)}),
    issued(
        XPCC,
        {
            (GUANGDONG, "pharmacy", "receives"): (2, 50),
            (GUANGDONG, "premium_390", "receives"): (1, 40),
            (GUANGDONG, "outpatient", "pays"): (1, 15),
            (SICHUAN, "pharmacy", "receives"): (1, 30),
        },
    ),
)
CLOSED = tuple(
    Closed(event_id=f"closed to {each}", province=each, period=MONTH, version=1)
    for each in (GUANGDONG, SICHUAN, XPCC)
)


def paid(payer: str, payee: str, amount: int, event_id: str = "") -> Paid:
    name = event_id or f"{payer} pays {amount}"
    return Paid(event_id=name, period=MONTH, payer=payer, payee=payee, amount=amount)


PAID = (
    paid(GUANGDONG, XPCC, 60),
    paid(GUANGDONG, XPCC, 30),
    paid(GUANGDONG, XPCC, 30),
    paid(XPCC, GUANGDONG, 15),
    paid(SICHUAN, XPCC, 30),
)
"""In parts, and one of them told twice."""


def period(**changes: Any) -> str:
    transfers = [(GUANGDONG, XPCC, 90), (SICHUAN, XPCC, 30), (XPCC, GUANGDONG, 15)]
    body: dict[str, Any] = {
        "period": MONTH,
        "state": "closed",
        "version": 1,
        "digest": DIGEST,
        "count": 6,
        "sum_fen": 185,
        "transfers": [
            {"payer": payer, "payee": payee, "amount_fen": fen, "paid_fen": fen}
            for payer, payee, fen in transfers
        ],
    }
    return json.dumps(body | changes)


SEEN = MonthSeen(period=MONTH, body=period(), repeated=(period(), period()), statements=STATEMENTS)
CLEAN = Months(
    lines=LINES,
    replayed=LINES,
    recorded=LINES,
    cuts=CUTS,
    issued=ISSUED,
    closed=CLOSED,
    paid=PAID,
    seen=(SEEN,),
)
OPEN = Months(
    lines=PAID_BY_TWO,
    replayed=PAID_BY_TWO,
    recorded=PAID_BY_TWO,
    seen=(MonthSeen(period=MONTH, body=json.dumps({"state": "open"})),),
)
