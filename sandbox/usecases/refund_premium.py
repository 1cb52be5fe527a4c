"""Refund a premium: the fund gives back what it had accepted, once.

accepted --> premium.refunded
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.events import PremiumRefunded, event
from contracts.topics import from_province
from kit.answers import answer
from kit.refusal import NotFound, WrongState
from kit.transaction import Transaction
from sandbox.domain.commands import RefundPremium
from sandbox.domain.decided import Decided
from sandbox.store.premiums import premiums_by_id, write_refunded


async def refund_premium(
    tx: Transaction, commands: Sequence[RefundPremium], _now: datetime
) -> list[Decided]:
    return [await _refund(tx, command) for command in commands]


async def _refund(tx: Transaction, command: RefundPremium) -> Decided:
    premium = (await premiums_by_id(tx, [command.payment_id])).get(command.payment_id)
    if premium is None or premium.province != command.province:
        return Decided(answer=NotFound("no premium was asked of this province under this id"))
    if premium.state != "accepted":
        return Decided(answer=WrongState(f"the premium is {premium.state}"))
    await write_refunded(tx, premium.payment_id)
    told = PremiumRefunded(payment_id=premium.payment_id, levy_no=premium.levy_no)
    said = event(from_province(command.province), premium.psn_no, premium.payment_id, told)
    content = {"payment_id": premium.payment_id, "levy_no": premium.levy_no}
    return Decided(answer=answer(202, content), events=(said,))
