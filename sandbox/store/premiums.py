"""What the funds of the provinces played here have decided of premiums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedPremium:
    """A premium as it was asked for, and what its fund decided."""

    payment_id: UUID
    province: str
    psn_no: str
    levy_no: str
    insutype: str
    year: int
    amount_fen: int
    state: str


async def premiums_by_id(
    tx: Transaction, payment_ids: Sequence[UUID]
) -> dict[UUID, DecidedPremium]:
    rows = await tx.fetch(
        """
        SELECT payment_id, province, psn_no, levy_no, insutype, year, amount_fen, state
        FROM premium WHERE payment_id = ANY($1::uuid[])
        """,
        list(payment_ids),
    )
    return {row["payment_id"]: DecidedPremium(**row) for row in rows}


async def insert_premiums(
    tx: Transaction, premiums: Sequence[DecidedPremium], now: datetime
) -> None:
    if not premiums:
        return
    await tx.write(
        """
        INSERT INTO premium (
            payment_id, province, psn_no, levy_no, insutype, year, amount_fen, state, decided_at
        )
        SELECT payment_id, province, psn_no, levy_no, insutype, year, amount_fen, state, $9
        FROM unnest(
            $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[],
            $7::bigint[], $8::text[]
        ) AS new (payment_id, province, psn_no, levy_no, insutype, year, amount_fen, state)
        """,
        [premium.payment_id for premium in premiums],
        [premium.province for premium in premiums],
        [premium.psn_no for premium in premiums],
        [premium.levy_no for premium in premiums],
        [premium.insutype for premium in premiums],
        [premium.year for premium in premiums],
        [premium.amount_fen for premium in premiums],
        [premium.state for premium in premiums],
        now,
        rows=len(premiums),
    )


async def write_refunded(tx: Transaction, payment_id: UUID) -> None:
    await tx.write(
        "UPDATE premium SET state = 'refunded' WHERE payment_id = $1 AND state = 'accepted'",
        payment_id,
        rows=1,
    )
