"""Statements about keys that were reversed, and about what was given back of payments."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from contracts.public import Bill
from kit.transaction import Transaction
from kit.work import ReceiptKey
from wallet.domain.original import Reversed
from wallet.domain.payment import Refund, RefundKind


async def reversed_keys(
    tx: Transaction, keys: Sequence[ReceiptKey]
) -> dict[tuple[str, UUID, str], Reversed]:
    """Those of these keys that were reversed before, by the name of their receipt."""
    rows = await tx.fetch(
        """
        SELECT caller, person_id, original_key, payment_id, refund_id, at
        FROM unnest($1::text[], $2::uuid[], $3::text[]) AS asked (caller, person_id, original_key)
        JOIN reversal USING (caller, person_id, original_key)
        """,
        [key.caller for key in keys],
        [key.scope for key in keys],
        [key.key for key in keys],
    )
    found = [Reversed(**dict(row)) for row in rows]
    return {each.name: each for each in found}


async def insert_reversals(tx: Transaction, undone: Sequence[Reversed]) -> None:
    if not undone:
        return
    await tx.insert(
        "reversal",
        ("caller", "person_id", "original_key", "payment_id", "refund_id", "at"),
        [
            (
                each.caller,
                each.person_id,
                each.original_key,
                each.payment_id,
                each.refund_id,
                each.at,
            )
            for each in undone
        ],
    )


async def refunds_of(
    tx: Transaction, payment_ids: Sequence[UUID]
) -> dict[UUID | None, list[Refund]]:
    """What was given back of each payment or charged again, oldest first."""
    rows = await tx.fetch(
        """
        SELECT refund_id, payment_id, kind, amount, reason, bill_before, retakes,
            business_date, period, at
        FROM refund
        WHERE payment_id = ANY($1::uuid[])
        ORDER BY at, refund_id
        """,
        payment_ids,
    )
    found: dict[UUID | None, list[Refund]] = {}
    for row in rows:
        before = row["bill_before"]
        found.setdefault(row["payment_id"], []).append(
            Refund(
                refund_id=row["refund_id"],
                payment_id=row["payment_id"],
                kind=RefundKind(row["kind"]),
                amount=row["amount"],
                reason=row["reason"],
                bill_before=None if before is None else Bill.model_validate_json(before),
                retakes=row["retakes"],
                business_date=row["business_date"],
                period=row["period"],
                at=row["at"],
            )
        )
    return found
