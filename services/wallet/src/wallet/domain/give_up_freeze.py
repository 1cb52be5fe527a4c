"""The rule of a freeze that a clerk gives up: it counts as refused.

parked --given up--> given_up       the quota is as it was before, with `silent` as its refusal
given_up --late yes--> confirmed    granted and returned in one step: the province unfreezes it
         --late no---> refused      nothing more
"""

from __future__ import annotations

from dataclasses import replace

from kit.refusal import NotFound, WrongState
from wallet.domain.ask_again import SILENT
from wallet.domain.books import Books
from wallet.domain.commands import GiveUpFreeze
from wallet.domain.decisions import Decision, refused
from wallet.domain.orders import AccountOrder, OrderKind, OrderState
from wallet.domain.record_freeze import refuse


def give_up_freeze(books: Books, command: GiveUpFreeze, order: AccountOrder | None) -> Decision:
    """Treat a parked freeze as refused; should the province have frozen it, that goes back."""
    if order is None:
        return refused(NotFound("no order has this id"))
    if order.kind is not OrderKind.FREEZE:
        # The books have moved already: the account must follow, however late.
        return refused(WrongState(f"a {order.kind} can only be repeated"))
    if not order.is_parked:
        return refused(WrongState("the order does not wait for a clerk"))
    given_up = replace(order, state=OrderState.GIVEN_UP, reason=SILENT)
    return refuse(books, books.quotas[order.quota_id], given_up)
