"""Statements for explanations: what was told and ordered of some ids. They only read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from kit.transaction import Transaction
from wallet.domain.history import Ordered, PaymentKnown, QuotaKnown, ToldFact


async def payments_named(tx: Transaction, ids: Collection[UUID]) -> list[PaymentKnown]:
    """Payments with one of these ids, or with an opposite row that has."""
    rows = await tx.fetch(
        """
        SELECT payment_id, payment.person_id, institution, premium.reason
        FROM (
            SELECT payment_id FROM payment WHERE payment_id = ANY($1::uuid[])
            UNION
            SELECT payment_id FROM refund WHERE refund_id = ANY($1::uuid[])
        ) AS named
        JOIN payment USING (payment_id)
        LEFT JOIN premium USING (payment_id)
        """,
        list(ids),
    )
    return [PaymentKnown(**row) for row in rows]


async def rows_of_payments(tx: Transaction, payment_ids: Collection[UUID]) -> list[UUID]:
    """The opposite rows of these payments: under them settlement has lines, too."""
    rows = await tx.fetch(
        "SELECT refund_id FROM refund WHERE payment_id = ANY($1::uuid[])", list(payment_ids)
    )
    return [row["refund_id"] for row in rows]


async def quotas_named(tx: Transaction, ids: Collection[UUID]) -> list[QuotaKnown]:
    """Quotas with one of these ids, of such a relation, or of such a person."""
    rows = await tx.fetch(
        """
        SELECT quota_id, relation_id, sharer_id, beneficiary_id FROM quota
        WHERE quota_id = ANY($1::uuid[]) OR relation_id = ANY($1::uuid[])
            OR sharer_id = ANY($1::uuid[]) OR beneficiary_id = ANY($1::uuid[])
        """,
        list(ids),
    )
    return [QuotaKnown(**row) for row in rows]


async def quotas_of_payments(tx: Transaction, payment_ids: Collection[UUID]) -> list[QuotaKnown]:
    """Who gave to these payments."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT quota.quota_id, relation_id, sharer_id, beneficiary_id
        FROM allocation
        JOIN quota USING (quota_id)
        WHERE payment_id = ANY($1::uuid[])
        """,
        list(payment_ids),
    )
    return [QuotaKnown(**row) for row in rows]


async def facts_about(
    tx: Transaction,
    topics: Collection[str],
    persons: Collection[UUID],
    ids: Collection[UUID],
    most: int,
) -> list[ToldFact]:
    """The newest facts told of these beneficiaries that name one of the ids."""
    rows = await tx.fetch(
        """
        SELECT type, data, written_at AS at
        FROM outbox
        WHERE topic = ANY($1::text[]) AND key = ANY($2::text[]) AND EXISTS (
            SELECT FROM unnest($3::text[]) AS named (id)
            WHERE position(convert_to(named.id, 'UTF8') IN outbox.data) > 0
        )
        ORDER BY position DESC
        LIMIT $4
        """,
        list(topics),
        [str(person) for person in persons],
        [str(each) for each in ids],
        most,
    )
    return [ToldFact(**row) for row in rows]


async def orders_of(
    tx: Transaction,
    quota_ids: Collection[UUID],
    payment_ids: Collection[UUID] | None,
    most: int,
) -> list[Ordered]:
    """The newest orders about these quotas, for these payments alone where some are named."""
    rows = await tx.fetch(
        """
        SELECT order_id, quota_id, kind, amount, payment_id, refund_id, state, reason, sent_at,
            asks, parked_at, parked_because, answered_at
        FROM account_order
        WHERE quota_id = ANY($1::uuid[])
            AND ($2::uuid[] IS NULL OR payment_id = ANY($2::uuid[]))
        ORDER BY sent_at DESC
        LIMIT $3
        """,
        list(quota_ids),
        None if payment_ids is None else list(payment_ids),
        most,
    )
    return [Ordered(**row) for row in rows]


async def wallets_opened(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When these persons opened their wallets."""
    rows = await tx.fetch(
        """
        SELECT person_id, opened_at FROM wallet
        WHERE person_id = ANY($1::uuid[]) AND opened_at IS NOT NULL
        """,
        list(ids),
    )
    return {row["person_id"]: row["opened_at"] for row in rows}
