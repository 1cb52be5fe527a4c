"""The rule of a silent province (R9): told again under the same id, at last a clerk's.

sent --ask, more and more seldom--> sent           the same order: it is carried out once
     --asked often enough---------> sent, parked   a clerk looks; a late answer still counts
parked --a clerk repeats it-------> sent           one more ask, then parked again
       --a clerk gives it up------> given_up       a freeze alone: it counts as refused
"""

from __future__ import annotations

from dataclasses import replace

from kit.answers import answer
from kit.work import Event
from wallet.domain.books import Books
from wallet.domain.commands import AskAgain
from wallet.domain.decisions import NOTHING_NEW, Decision
from wallet.domain.orders import (
    AccountOrder,
    OrderKind,
    OrderState,
    credit_event,
    debit_event,
    freeze_event,
    unfreeze_event,
)

SILENT = "silent"
"""Why an order is parked; and what a quota shows of a freeze that was given up."""

PARKED = answer(200, {"state": "parked"})


def ask_again(books: Books, command: AskAgain, order: AccountOrder | None) -> Decision:
    """Ask once more, unless it was answered, asked or parked since the sweep looked."""
    assert order is not None
    if order.state is not OrderState.SENT or order.is_parked or order.asks != command.asks:
        return NOTHING_NEW
    if order.asks >= command.most:
        now = books.moment.now
        return Decision(answer=PARKED, asked=replace(order, parked_at=now, parked_because=SILENT))
    return told_once_more(books, order)


def told_once_more(books: Books, order: AccountOrder) -> Decision:
    """The same order again, under the same id, and one more ask on its row."""
    asked = replace(
        order,
        asks=order.asks + 1,
        asked_at=books.moment.now,
        parked_at=None,
        parked_because=None,
    )
    return Decision(answer=answer(200, {}), asked=asked, events=(_event_of(books, order),))


def _event_of(books: Books, order: AccountOrder) -> Event:
    """What the province was told of it, word for word."""
    quota = books.quotas[order.quota_id]
    match order.kind:
        case OrderKind.FREEZE:
            return freeze_event(books, quota, order)
        case OrderKind.UNFREEZE:
            return unfreeze_event(books, quota, order)
        case OrderKind.DEBIT:
            assert order.payment_id is not None
            return debit_event(books, quota, order, books.payments[order.payment_id])
        case OrderKind.CREDIT:
            return credit_event(books, quota, order)
