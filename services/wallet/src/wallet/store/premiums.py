"""Statements about premiums: what was asked of a levy's fund, and what it said."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from kit.transaction import Transaction
from wallet.domain.premium import Premium, Premiums, PremiumState


async def premiums_by_id(tx: Transaction, payment_ids: Sequence[UUID]) -> dict[UUID, Premium]:
    rows = await tx.fetch(
        """
        SELECT payment_id, person_id, insutype, year, levy_no, psn_no,
            state, times, ask_again_at, reason
        FROM premium
        WHERE payment_id = ANY($1::uuid[])
        """,
        payment_ids,
    )
    return {row["payment_id"]: _premium_from(row) for row in rows}


async def living_premiums(tx: Transaction, persons: Sequence[UUID]) -> dict[UUID, Premium]:
    """What these persons have set aside or paid, which nobody pays a second time."""
    rows = await tx.fetch(
        """
        SELECT payment_id, person_id, insutype, year, levy_no, psn_no,
            state, times, ask_again_at, reason
        FROM premium
        WHERE person_id = ANY($1::uuid[]) AND state IN ('asked', 'accepted')
        """,
        persons,
    )
    return {row["payment_id"]: _premium_from(row) for row in rows}


def _premium_from(row: asyncpg.Record) -> Premium:
    return Premium(
        payment_id=row["payment_id"],
        person_id=row["person_id"],
        insutype=row["insutype"],
        year=row["year"],
        levy_no=row["levy_no"],
        psn_no=row["psn_no"],
        state=PremiumState(row["state"]),
        times=row["times"],
        ask_again_at=row["ask_again_at"],
        reason=row["reason"],
    )


async def write_premiums(tx: Transaction, premiums: Premiums) -> None:
    """Write the new ones of a batch, and what became of others."""
    await _insert(tx, premiums.new)
    await _update(tx, list(premiums.changed()))


async def _insert(tx: Transaction, premiums: Sequence[Premium]) -> None:
    if not premiums:
        return
    await tx.insert(
        "premium",
        (
            *("payment_id", "person_id", "insutype", "year", "levy_no", "psn_no"),
            *("state", "times", "ask_again_at"),
        ),
        [
            (
                premium.payment_id,
                premium.person_id,
                premium.insutype,
                premium.year,
                premium.levy_no,
                premium.psn_no,
                premium.state,
                premium.times,
                premium.ask_again_at,
            )
            for premium in premiums
        ],
    )


async def _update(tx: Transaction, premiums: Sequence[Premium]) -> None:
    if not premiums:
        return
    await tx.write(
        """
        UPDATE premium SET
            state = became.state,
            times = became.times,
            ask_again_at = became.ask_again_at,
            reason = became.reason
        FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::timestamptz[], $5::text[])
            AS became (payment_id, state, times, ask_again_at, reason)
        WHERE premium.payment_id = became.payment_id
        """,
        [premium.payment_id for premium in premiums],
        [premium.state for premium in premiums],
        [premium.times for premium in premiums],
        [premium.ask_again_at for premium in premiums],
        [premium.reason for premium in premiums],
        rows=len(premiums),
    )
