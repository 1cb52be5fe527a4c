"""I1-I5 after a case: what callers were answered against what the ledger keeps. Where lines are
what a case is about, I9 and settlement's own audits: the ledger against what settlement has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kit.audit import audit
from proof.answers import doubled, lost
from proof.databases import read_ledger
from proof.ledger import conservation, overdraft, recomputed
from proof.month_rows import read_recorded_lines, read_wallet_lines
from proof.months import months_tie_out
from proof.rows import Exchange, Months
from settlement.store.audits import AUDITS
from tests.bench.generator import Shots
from tests.bench.letters import BENCH

SHOWN = 3


def history_of(shots: Shots, caller: str) -> list[Exchange]:
    """The payments among the answers: presence is kept by the gateway, not by the ledger."""
    return [
        Exchange(key=key, status=status, body=body.decode(), replayed=replayed, caller=caller)
        for key, status, body, replayed in zip(
            shots.keys, shots.statuses, shots.bodies, shots.replayed, strict=True
        )
        if key.startswith(BENCH)
    ]


async def proved(wallet_dsn: str, history: list[Exchange]) -> tuple[dict[str, str], int]:
    """Each invariant → `ok`, or what is wrong; and how many payments the ledger has."""
    ledger = await read_ledger(wallet_dsn)
    broken = {
        "I1": lost(ledger, history),
        "I2": doubled(ledger, history),
        "I3": conservation(ledger),
        "I4": overdraft(ledger),
        "I5": recomputed(ledger),
    }
    return {name: said(found) for name, found in broken.items()}, len(ledger.payments)


async def lines_proved(databases: Mapping[str, str]) -> dict[str, str]:
    """I9 as far as it is about lines, and the audits that hold settlement's totals against them."""
    lines, replayed = await read_wallet_lines(databases["wallet"])
    recorded = await read_recorded_lines(databases["settlement"])
    months = Months(lines=tuple(lines), replayed=tuple(replayed), recorded=tuple(recorded))
    return {"I9": said(months_tie_out(months)), **await audited(databases["settlement"])}


async def audited(settlement_dsn: str) -> dict[str, str]:
    """Whether each named query of settlement's returns no row."""
    found = await audit(settlement_dsn, 1, AUDITS)
    return {"audits": said([str(each) for each in found])}


def said(found: Sequence[str]) -> str:
    return "ok" if not found else f"{len(found)} broken: " + "; ".join(found[:SHOWN])
