"""Writing what was decided: one statement a table, in one place for all use cases."""

from __future__ import annotations

from collections.abc import Sequence

from kit.transaction import Transaction
from wallet.domain.books import Books
from wallet.domain.decisions import Decision
from wallet.store.payments import insert_payments, insert_refunds, update_payments
from wallet.store.quotas import answer_orders, insert_entries, insert_orders, update_quotas


async def write(tx: Transaction, decisions: Sequence[Decision], books: Books) -> None:
    """Write the rows of a batch of decisions. Nothing can be refused any more."""
    now = books.moment.now
    await update_quotas(tx, books.changed())
    await update_payments(tx, books.changed_payments())
    await insert_payments(tx, [given.payment for given in decisions if given.payment is not None])
    await insert_refunds(tx, [given.refund for given in decisions if given.refund is not None])
    await insert_entries(tx, [entry for given in decisions for entry in given.entries], now)
    await insert_orders(tx, [order for given in decisions for order in given.orders], now)
    await answer_orders(
        tx, [given.answered for given in decisions if given.answered is not None], now
    )
