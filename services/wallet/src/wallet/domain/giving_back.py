"""Money that goes back: to be spent again or, out of the quota, to where it came from (R31).

source --amount--> available       account: nothing, it stays frozen
source --amount--> returned        account.unfreeze-ordered: the relation has ended (R6, R32)

Whatever becomes free of a payment comes through `free`, so that this is decided in one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.vocabulary import Book, QuotaState
from kit.work import Event
from wallet.domain.books import Books, Entry
from wallet.domain.orders import AccountOrder, OrderKind, order_of, unfreeze_event
from wallet.domain.payment import Allocation


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """What is to be written and told of it."""

    entry: Entry
    order: AccountOrder
    told: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """How money became free; nothing is told of what stays frozen."""

    entries: tuple[Entry, ...]
    orders: tuple[AccountOrder, ...]
    events: tuple[Event, ...]


def give_back(
    books: Books,
    quota_id: UUID,
    amount: int,
    *,
    source: Book = Book.AVAILABLE,
    payment_id: UUID | None = None,
) -> GivenBack:
    """Take `amount` fen (≥ 1) out of a quota, and have its province unfreeze them."""
    quota = books.quotas[quota_id]
    order = order_of(books, quota, OrderKind.UNFREEZE, amount, payment_id=payment_id)
    entry = Entry(
        quota_id=quota_id,
        source=source,
        target=Book.RETURNED,
        amount=amount,
        payment_id=payment_id,
        order_id=order.order_id,
    )
    books.post([entry])
    return GivenBack(entry=entry, order=order, told=unfreeze_event(books, quota, order))


def free(books: Books, parts: Sequence[Allocation], *, source: Book, payment_id: UUID) -> Freed:
    """Post what became free of each quota: `part.amount` fen, frozen, leave its book `source`."""
    entries, orders, told = [], [], []
    for part in parts:
        if books.quotas[part.quota_id].state is QuotaState.ENDED:
            back = give_back(
                books, part.quota_id, part.amount, source=source, payment_id=payment_id
            )
            entries.append(back.entry)
            orders.append(back.order)
            told.append(back.told)
            continue
        entry = Entry(
            quota_id=part.quota_id,
            source=source,
            target=Book.AVAILABLE,
            amount=part.amount,
            payment_id=payment_id,
        )
        books.post([entry])
        entries.append(entry)
    return Freed(entries=tuple(entries), orders=tuple(orders), events=tuple(told))
