"""The rule of a clerk's repetition: a parked order is told once more, whatever its kind.

parked --told once more--> sent        parked again, should the province stay silent
"""

from __future__ import annotations

from kit.refusal import NotFound, WrongState
from wallet.domain.ask_again import told_once_more
from wallet.domain.books import Books
from wallet.domain.commands import RepeatOrder
from wallet.domain.decisions import Decision, refused
from wallet.domain.orders import AccountOrder


def repeat_order(books: Books, command: RepeatOrder, order: AccountOrder | None) -> Decision:
    """Tell a parked order once more, of whatever kind: a province carries it out once."""
    if order is None:
        return refused(NotFound("no order has this id"))
    if not order.is_parked:
        return refused(WrongState("the order does not wait for a clerk"))
    return told_once_more(books, order)
