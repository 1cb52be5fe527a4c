"""What a connection is told that reads a whole month and holds no lock that anybody waits for."""

from __future__ import annotations

from kit.transaction import Transaction


async def take_time(tx: Transaction) -> None:
    await tx.fetch("SET transaction_timeout = '10s'")
