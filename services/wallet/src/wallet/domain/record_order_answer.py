"""The rule of a province's answer to an order: the account has followed the books.

Only a credit may be refused, and only then do the books follow the account (`record_credit`).
"""

from __future__ import annotations

from dataclasses import replace

from kit.answers import answer
from kit.refusal import NotFound
from wallet.domain.books import Books
from wallet.domain.commands import RecordOrderAnswer
from wallet.domain.decisions import NOTHING_NEW, Decision, refused
from wallet.domain.orders import AccountOrder, OrderKind, OrderState
from wallet.domain.record_credit import record_credit


def record_order_answer(
    books: Books, command: RecordOrderAnswer, order: AccountOrder | None
) -> Decision:
    """Note that an order was carried out; the same answer again changes nothing."""
    if order is None or order.kind is not command.kind:
        return refused(NotFound(f"no {command.kind} was ordered under this id"))
    if command.province != books.province_of(order.sharer_admdvs):
        return refused(NotFound(f"no {command.kind} was ordered of this province under this id"))
    if order.kind is OrderKind.CREDIT:
        return record_credit(books, command, order)
    if order.state is OrderState.CONFIRMED:
        return NOTHING_NEW
    assert order.state is OrderState.SENT, "neither a debit nor an unfreeze can be refused"
    return Decision(answer=answer(200, {}), answered=replace(order, state=OrderState.CONFIRMED))
