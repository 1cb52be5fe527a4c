"""Statements about transfers that no month waits for."""

from __future__ import annotations

from dataclasses import dataclass

from kit.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherTransfer:
    """What was told to be paid inside a province, or to institutions, in fen."""

    tier: str
    province: str
    payer: str
    payee: str
    amount: int


async def transfers_of(tx: Transaction, period: str) -> list[OtherTransfer]:
    """What was paid in the tiers beneath, by who told it, payer and payee."""
    rows = await tx.fetch(
        """
        SELECT tier, province, payer, payee, sum(amount)::bigint AS amount FROM transfer
        WHERE period = $1 AND tier <> 'interprovince'
        GROUP BY tier, province, payer, payee
        ORDER BY tier, province, payer, payee
        """,
        period,
    )
    return [OtherTransfer(**row) for row in rows]
