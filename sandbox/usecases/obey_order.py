"""Obey an order on an account: let its owner spend it, pay it out, or take it back (R6, R7, R31).

unfreeze-ordered --> unfrozen           spendable again
debit-ordered    --> debited            balance and frozen fall together
credit-ordered   --> credited           back, and frozen again unless the relation has ended
                 --> credit-refused     there is no such account any more
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from contracts.events import (
    AccountCredited,
    AccountDebited,
    AccountUnfrozen,
    CreditOrdered,
    CreditRefused,
    DebitOrdered,
    Told,
    UnfreezeOrdered,
    event,
)
from contracts.topics import from_province
from kit.transaction import Transaction
from sandbox.domain.behaviour import Voice
from sandbox.domain.commands import ObeyOrder
from sandbox.domain.core import Asked, Core, Order
from sandbox.domain.decided import DONE, Decided
from sandbox.store.behaviours import read_voice, write_held_answers
from sandbox.store.core import read_core, write_core


async def obey_order(
    tx: Transaction, commands: Sequence[ObeyOrder], now: datetime
) -> list[Decided]:
    core = await read_core(
        tx,
        accounts={(command.province, command.order.psn_no) for command in commands},
        quota_ids={command.order.quota_id for command in commands},
        order_ids={command.order.order_id for command in commands},
    )
    voice = await read_voice(tx, {command.province for command in commands})

    decisions = [_decide(core, voice, command, now) for command in commands]

    await write_core(tx, core, now)
    await write_held_answers(tx, voice.held)
    return decisions


def _decide(core: Core, voice: Voice, command: ObeyOrder, now: datetime) -> Decided:
    given = command.order
    order = Order(
        order_id=given.order_id,
        kind=_kind_of(given),
        asked=Asked(
            province=command.province,
            psn_no=given.psn_no,
            pool_admdvs=given.pool_admdvs,
            quota_id=given.quota_id,
            amount_fen=given.amount_fen,
        ),
    )
    told = event(
        from_province(command.province), given.psn_no, order.order_id, _answer(core, order)
    )
    return Decided(answer=DONE, events=voice.tell(command.province, told, now))


def _kind_of(
    given: UnfreezeOrdered | DebitOrdered | CreditOrdered,
) -> Literal["unfreeze", "debit", "credit", "return"]:
    match given:
        case UnfreezeOrdered():
            return "unfreeze"
        case DebitOrdered():
            return "debit"
        case CreditOrdered(freeze=freeze):
            return "credit" if freeze else "return"


def _answer(core: Core, order: Order) -> Told:
    """Obey, and what is to be said of it."""
    if order.kind in ("credit", "return"):
        reason = core.against_credit(order)
        if reason is not None:
            return CreditRefused(order_id=order.order_id, reason=reason)
    core.obey(order)
    match order.kind:
        case "unfreeze":
            return AccountUnfrozen(order_id=order.order_id)
        case "debit":
            return AccountDebited(order_id=order.order_id)
        case "credit" | "return":
            return AccountCredited(order_id=order.order_id)
