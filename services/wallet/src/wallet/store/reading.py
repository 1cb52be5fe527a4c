"""Statements that only read, for answers by id: they take no lock and never lag."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kit.transaction import Transaction
from wallet.domain.books import Quota, Wallet
from wallet.store.quotas import quota_from
from wallet.store.wallets import wallet_from


async def clock(tx: Transaction) -> datetime:
    """The database's time: the one by which presences and holds end."""
    now: datetime = await tx.fetchval("SELECT clock_timestamp()")
    return now


async def owners_of_payments(tx: Transaction, payment_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Whose money each payment is: the beneficiary to lock before anything becomes of it."""
    rows = await tx.fetch(
        "SELECT payment_id, person_id FROM payment WHERE payment_id = ANY($1::uuid[])",
        payment_ids,
    )
    return {row["payment_id"]: row["person_id"] for row in rows}


async def due_holds(tx: Transaction, most: int) -> list[tuple[UUID, UUID, datetime]]:
    """Holds whose deadline has passed, oldest first: payment, beneficiary, deadline."""
    rows = await tx.fetch(
        """
        SELECT payment_id, person_id, expires_at
        FROM payment
        WHERE state = 'held' AND expires_at <= clock_timestamp()
        ORDER BY expires_at
        LIMIT $1
        """,
        most,
    )
    return [(row["payment_id"], row["person_id"], row["expires_at"]) for row in rows]


async def silent_premiums(tx: Transaction, most: int) -> list[tuple[UUID, UUID, int]]:
    """Premiums whose fund is to be asked again: payment, beneficiary, how often it was asked."""
    rows = await tx.fetch(
        """
        SELECT payment_id, person_id, times
        FROM premium
        WHERE state = 'asked' AND ask_again_at <= clock_timestamp()
        ORDER BY ask_again_at
        LIMIT $1
        """,
        most,
    )
    return [(row["payment_id"], row["person_id"], row["times"]) for row in rows]


async def wallet_of(tx: Transaction, person_id: UUID) -> Wallet | None:
    row = await tx.fetchrow(
        """
        SELECT person_id, version, psn_no, pool_admdvs, insutype, insured, opened_at, registrations
        FROM wallet
        WHERE person_id = $1
        """,
        person_id,
    )
    return None if row is None else wallet_from(row)


async def quotas_of_person(tx: Transaction, person_id: UUID) -> list[Quota]:
    """Quotas given and received, newest relation first; of this cell alone."""
    rows = await tx.fetch(
        """
        SELECT quota_id, relation_id, beneficiary_id, sharer_id, sharer_psn_no, sharer_admdvs,
            kind, related_at, state, refusal,
            granted, available, held, spent, restoring, returned, version, suspended, rank
        FROM quota
        WHERE beneficiary_id = $1 OR sharer_id = $1
        ORDER BY related_at DESC, quota_id DESC
        """,
        person_id,
    )
    return [quota_from(row) for row in rows]


async def owners_of_orders(tx: Transaction, order_ids: list[UUID]) -> dict[UUID, UUID]:
    """Whose books each order belongs to: the beneficiary to lock before it is answered."""
    rows = await tx.fetch(
        "SELECT order_id, beneficiary_id FROM account_order WHERE order_id = ANY($1::uuid[])",
        order_ids,
    )
    return {row["order_id"]: row["beneficiary_id"] for row in rows}
