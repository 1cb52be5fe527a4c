"""Statements about quotas, their entries and the orders to provinces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg

from contracts.vocabulary import QuotaState
from kit.transaction import Transaction
from wallet.domain.books import Entry, Quota
from wallet.domain.orders import AccountOrder, OrderKind, OrderState


async def quotas_of(tx: Transaction, beneficiaries: Sequence[UUID]) -> list[Quota]:
    rows = await tx.fetch(
        """
        SELECT quota_id, relation_id, beneficiary_id, sharer_id, sharer_psn_no, sharer_admdvs,
            kind, related_at, state, refusal,
            granted, available, held, spent, restoring, returned, version, suspended, rank
        FROM quota
        WHERE beneficiary_id = ANY($1::uuid[])
        """,
        beneficiaries,
    )
    return [quota_from(row) for row in rows]


def quota_from(row: asyncpg.Record) -> Quota:
    return Quota(
        quota_id=row["quota_id"],
        relation_id=row["relation_id"],
        beneficiary_id=row["beneficiary_id"],
        sharer_id=row["sharer_id"],
        sharer_psn_no=row["sharer_psn_no"],
        sharer_admdvs=row["sharer_admdvs"],
        kind=row["kind"],
        related_at=row["related_at"],
        state=QuotaState(row["state"]),
        refusal=row["refusal"],
        granted=row["granted"],
        available=row["available"],
        held=row["held"],
        spent=row["spent"],
        restoring=row["restoring"],
        returned=row["returned"],
        version=row["version"],
        suspended=row["suspended"],
        rank=row["rank"],
    )


async def insert_quotas(tx: Transaction, quotas: Sequence[Quota]) -> None:
    if not quotas:
        return
    await tx.write(
        """
        INSERT INTO quota (
            quota_id, relation_id, beneficiary_id, sharer_id, sharer_psn_no, sharer_admdvs,
            kind, related_at, state
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[],
            $7::text[], $8::timestamptz[], $9::text[]
        )
        """,
        [quota.quota_id for quota in quotas],
        [quota.relation_id for quota in quotas],
        [quota.beneficiary_id for quota in quotas],
        [quota.sharer_id for quota in quotas],
        [quota.sharer_psn_no for quota in quotas],
        [quota.sharer_admdvs for quota in quotas],
        [quota.kind for quota in quotas],
        [quota.related_at for quota in quotas],
        [quota.state for quota in quotas],
        rows=len(quotas),
    )


async def update_quotas(tx: Transaction, changed: Sequence[tuple[int, Quota]]) -> None:
    """Write what became of quotas; each must still have the version it was read at."""
    if not changed:
        return
    await tx.write(
        """
        UPDATE quota SET
            state = became.state,
            refusal = became.refusal,
            granted = became.granted,
            available = became.available,
            held = became.held,
            spent = became.spent,
            restoring = became.restoring,
            returned = became.returned,
            suspended = became.suspended,
            rank = became.rank,
            version = quota.version + 1
        FROM unnest(
            $1::uuid[], $2::integer[], $3::text[], $4::text[], $5::bigint[],
            $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
            $11::boolean[], $12::integer[]
        ) AS became (
            quota_id, version, state, refusal, granted,
            available, held, spent, restoring, returned, suspended, rank
        )
        WHERE quota.quota_id = became.quota_id AND quota.version = became.version
        """,
        [quota.quota_id for _, quota in changed],
        [version for version, _ in changed],
        [quota.state for _, quota in changed],
        [quota.refusal for _, quota in changed],
        [quota.granted for _, quota in changed],
        [quota.available for _, quota in changed],
        [quota.held for _, quota in changed],
        [quota.spent for _, quota in changed],
        [quota.restoring for _, quota in changed],
        [quota.returned for _, quota in changed],
        [quota.suspended for _, quota in changed],
        [quota.rank for _, quota in changed],
        rows=len(changed),
    )


async def insert_entries(tx: Transaction, entries: Sequence[Entry], now: datetime) -> None:
    if not entries:
        return
    await tx.insert(
        "entry",
        (
            *("quota_id", "source", "target", "amount", "payment_id", "order_id"),
            *("period", "refund_id", "at"),
        ),
        [
            (
                entry.quota_id,
                entry.source,
                entry.target,
                entry.amount,
                entry.payment_id,
                entry.order_id,
                entry.period,
                entry.refund_id,
                now,
            )
            for entry in entries
        ],
    )


async def orders_by_id(tx: Transaction, order_ids: Sequence[UUID]) -> dict[UUID, AccountOrder]:
    rows = await tx.fetch(
        """
        SELECT
            account_order.order_id, account_order.quota_id, account_order.beneficiary_id,
            quota.sharer_admdvs, account_order.kind, account_order.amount,
            account_order.payment_id, account_order.refund_id, account_order.freezes,
            account_order.state, account_order.reason,
            account_order.asks, account_order.asked_at,
            account_order.parked_at, account_order.parked_because
        FROM account_order
        JOIN quota USING (quota_id)
        WHERE account_order.order_id = ANY($1::uuid[])
        """,
        order_ids,
    )
    return {
        row["order_id"]: AccountOrder(
            order_id=row["order_id"],
            quota_id=row["quota_id"],
            beneficiary_id=row["beneficiary_id"],
            sharer_admdvs=row["sharer_admdvs"],
            kind=OrderKind(row["kind"]),
            amount=row["amount"],
            payment_id=row["payment_id"],
            refund_id=row["refund_id"],
            freezes=row["freezes"],
            state=OrderState(row["state"]),
            reason=row["reason"],
            asks=row["asks"],
            asked_at=row["asked_at"],
            parked_at=row["parked_at"],
            parked_because=row["parked_because"],
        )
        for row in rows
    }


async def insert_orders(tx: Transaction, orders: Sequence[AccountOrder], now: datetime) -> None:
    if not orders:
        return
    await tx.insert(
        "account_order",
        (
            *("order_id", "quota_id", "beneficiary_id", "kind", "amount"),
            *("payment_id", "refund_id", "freezes", "sent_at", "asked_at"),
        ),
        [
            (
                order.order_id,
                order.quota_id,
                order.beneficiary_id,
                order.kind,
                order.amount,
                order.payment_id,
                order.refund_id,
                order.freezes,
                now,
                now,
            )
            for order in orders
        ],
    )


async def answer_orders(tx: Transaction, orders: Sequence[AccountOrder], now: datetime) -> None:
    """Note the provinces' answers; an order is answered once, by a clerk at most before that."""
    if not orders:
        return
    await tx.write(
        """
        UPDATE account_order SET
            state = answered.state,
            reason = answered.reason,
            answered_at = CASE WHEN answered.state <> 'given_up' THEN $4::timestamptz END
        FROM unnest($1::uuid[], $2::text[], $3::text[]) AS answered (order_id, state, reason)
        WHERE account_order.order_id = answered.order_id
        AND account_order.state IN ('sent', 'given_up')
        """,
        [order.order_id for order in orders],
        [order.state for order in orders],
        [order.reason for order in orders],
        now,
        rows=len(orders),
    )


async def spent_since(tx: Transaction, quota_id: UUID, day: date) -> list[tuple[UUID, int]]:
    """Payments of a Beijing day or later, and what of the quota each has not given back, in fen."""
    rows = await tx.fetch(
        """
        SELECT
            payment_id,
            (
                coalesce(sum(amount) FILTER (WHERE target = 'spent'), 0)
                - coalesce(sum(amount) FILTER (WHERE source = 'spent'), 0)
            )::bigint AS spent
        FROM entry
        WHERE quota_id = $1 AND payment_id IS NOT NULL
        AND (at AT TIME ZONE 'Asia/Shanghai')::date >= $2
        GROUP BY payment_id
        ORDER BY min(entry_id)
        """,
        quota_id,
        day,
    )
    return [(row["payment_id"], row["spent"]) for row in rows if row["spent"] > 0]
