"""Reading the books of a batch: the door holds the locks, so what is read here stays true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kit.transaction import Transaction
from policy.calendar import beijing_day, beijing_month
from policy.policy import Policy
from wallet.domain.books import Books, Moment
from wallet.domain.period import period_of
from wallet.store.payments import payments_by_id
from wallet.store.periods import last_cut, share_cut_lock, take_cut_lock
from wallet.store.quotas import quotas_of
from wallet.store.wallets import wallets_of


async def preamble(tx: Transaction) -> str:
    """What the door does first in every cell: share the cut's lock, then read the last cut."""
    await share_cut_lock(tx)
    return await last_cut(tx)


async def alone(tx: Transaction) -> str:
    """What the door of the cut does first: have the lock alone, then read the last cut."""
    await take_cut_lock(tx)
    return await last_cut(tx)


def empty_books(tx: Transaction, now: datetime, policy: Policy) -> Books:
    day = beijing_day(now)
    return Books(
        moment=Moment(now=now, day=day, period=period_of(beijing_month(now), tx.context)),
        new_id=tx.new_id,
        province_of=lambda code: policy.province_of(code, day),
        shared_first=lambda code: policy.shared_first(code, day),
    )


async def open_books(
    tx: Transaction,
    now: datetime,
    policy: Policy,
    *,
    persons: Sequence[UUID] = (),
    beneficiaries: Sequence[UUID] = (),
) -> Books:
    """The wallets of these persons and the quotas of these beneficiaries."""
    books = empty_books(tx, now, policy)
    if persons:
        books.wallets = await wallets_of(tx, sorted(set(persons)))
    if beneficiaries:
        books.add(await quotas_of(tx, sorted(set(beneficiaries))))
    return books


async def open_payments(
    tx: Transaction, now: datetime, policy: Policy, payment_ids: Sequence[UUID]
) -> Books:
    """These payments, as far as they exist, and the quotas of their beneficiaries."""
    books = empty_books(tx, now, policy)
    books.payments = await payments_by_id(tx, sorted(set(payment_ids)))
    beneficiaries = {payment.person_id for payment in books.payments.values()}
    if beneficiaries:
        books.add(await quotas_of(tx, sorted(beneficiaries)))
    return books
