"""I1-I5 after a case: what callers were answered against what the ledger keeps."""

from __future__ import annotations

from proof.answers import doubled, lost
from proof.databases import read_ledger
from proof.ledger import conservation, overdraft, recomputed
from proof.rows import Exchange
from tests.bench.generator import Shots

SHOWN = 3


def history_of(shots: Shots, caller: str) -> list[Exchange]:
    """The payments among the answers: presence is kept by the gateway, not by the ledger."""
    return [
        Exchange(key=key, status=status, body=body.decode(), replayed=replayed, caller=caller)
        for key, status, body, replayed in zip(
            shots.keys, shots.statuses, shots.bodies, shots.replayed, strict=True
        )
        if key.startswith("bench-")
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
    return {
        name: "ok" if not found else f"{len(found)} broken: " + "; ".join(found[:SHOWN])
        for name, found in broken.items()
    }, len(ledger.payments)
