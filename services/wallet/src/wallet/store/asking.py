"""Statements about orders that a province has not answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from kit.transaction import Transaction
from policy.policy import Policy
from wallet.domain.books import Books
from wallet.domain.decisions import Decision
from wallet.domain.orders import AccountOrder, OrderKind
from wallet.store.opening import open_books
from wallet.store.payments import payments_by_id
from wallet.store.quotas import orders_by_id


async def open_orders(
    tx: Transaction, now: datetime, policy: Policy, order_ids: Sequence[UUID]
) -> tuple[Books, dict[UUID, AccountOrder]]:
    """These orders, as far as they exist, with the quotas and payments they are about."""
    orders = await orders_by_id(tx, order_ids)
    beneficiaries = [order.beneficiary_id for order in orders.values()]
    books = await open_books(tx, now, policy, beneficiaries=beneficiaries)
    paid = {
        order.payment_id
        for order in orders.values()
        if order.kind is OrderKind.DEBIT and order.payment_id is not None
    }
    if paid:
        books.payments = await payments_by_id(tx, sorted(paid))
    return books, orders


async def silent_orders(
    tx: Transaction, waits: Sequence[float], most: int
) -> list[tuple[UUID, UUID, int]]:
    """Orders without an answer for longer than `waits[asks - 1]` seconds: id, beneficiary, asks.

    What Kafka has not been given yet was not asked: while the outbox waits, nobody is silent.
    """
    rows = await tx.fetch(
        """
        WITH published AS (
            SELECT least(
                clock_timestamp(),
                (
                    SELECT written_at FROM unpublished JOIN outbox USING (position)
                    ORDER BY position
                    LIMIT 1
                )
            ) AS until
        )
        SELECT due.order_id, due.beneficiary_id, due.asks
        FROM published
        CROSS JOIN unnest($1::double precision[]) WITH ORDINALITY AS patience (seconds, asks)
        CROSS JOIN LATERAL (
            SELECT order_id, beneficiary_id, account_order.asks
            FROM account_order
            WHERE state = 'sent' AND parked_at IS NULL
            AND account_order.asks BETWEEN patience.asks
                AND CASE patience.asks WHEN cardinality($1) THEN 2147483647 ELSE patience.asks END
            AND asked_at <= published.until - make_interval(secs => patience.seconds)
            LIMIT $2
        ) AS due
        LIMIT $2
        """,
        waits,
        most,
    )
    return [(row["order_id"], row["beneficiary_id"], row["asks"]) for row in rows]


async def note_asks(tx: Transaction, decisions: Sequence[Decision]) -> None:
    """Note that provinces were asked once more, or that an order is a clerk's now."""
    orders = [given.asked for given in decisions if given.asked is not None]
    if not orders:
        return
    await tx.write(
        """
        UPDATE account_order SET
            asks = asked.asks,
            asked_at = asked.asked_at,
            parked_at = asked.parked_at,
            parked_because = asked.parked_because
        FROM unnest(
            $1::uuid[], $2::integer[], $3::timestamptz[], $4::timestamptz[], $5::text[]
        ) AS asked (order_id, asks, asked_at, parked_at, parked_because)
        WHERE account_order.order_id = asked.order_id AND account_order.state = 'sent'
        """,
        [order.order_id for order in orders],
        [order.asks for order in orders],
        [order.asked_at for order in orders],
        [order.parked_at for order in orders],
        [order.parked_because for order in orders],
        rows=len(orders),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedOrder:
    """An order that waits for a clerk, as a clerk sees it; `amount` in fen."""

    order_id: UUID
    beneficiary_id: UUID
    kind: str
    sharer_admdvs: str
    sharer_psn_no: str
    amount: int
    asks: int
    sent_at: datetime
    parked_at: datetime
    parked_because: str


async def parked_orders(tx: Transaction, most: int = 1_000) -> list[ParkedOrder]:
    """The orders that wait for a clerk, longest first."""
    rows = await tx.fetch(
        """
        SELECT
            account_order.order_id, account_order.beneficiary_id, account_order.kind,
            quota.sharer_admdvs, quota.sharer_psn_no, account_order.amount, account_order.asks,
            account_order.sent_at, account_order.parked_at, account_order.parked_because
        FROM account_order
        JOIN quota USING (quota_id)
        WHERE account_order.state = 'sent' AND account_order.parked_at IS NOT NULL
        ORDER BY account_order.parked_at
        LIMIT $1
        """,
        most,
    )
    return [_parked_from(row) for row in rows]


def _parked_from(row: asyncpg.Record) -> ParkedOrder:
    return ParkedOrder(**row)


async def count_parked(tx: Transaction) -> dict[str, int]:
    """How many orders of each kind wait for a clerk."""
    rows = await tx.fetch(
        """
        SELECT kind, count(*) AS orders
        FROM account_order
        WHERE state = 'sent' AND parked_at IS NOT NULL
        GROUP BY kind
        """
    )
    return {row["kind"]: row["orders"] for row in rows}


async def asks_of(tx: Transaction, order_id: UUID) -> tuple[UUID, int] | None:
    """The beneficiary of an order and how often it was asked; None where there is no such order."""
    row = await tx.fetchrow(
        "SELECT beneficiary_id, asks FROM account_order WHERE order_id = $1", order_id
    )
    return None if row is None else (row["beneficiary_id"], row["asks"])
