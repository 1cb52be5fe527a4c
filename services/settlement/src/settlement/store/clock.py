"""The database's clock."""

from __future__ import annotations

from datetime import datetime

from kit.transaction import Transaction


async def clock(tx: Transaction) -> datetime:
    now: datetime = await tx.fetchval("SELECT clock_timestamp()")
    return now
