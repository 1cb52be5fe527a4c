"""Answer a premium: the levy's own fund accepts it or refuses it, once for a payment (R10).

premium.requested --as it behaves--> premium.accepted or premium.refused, the same every time
                  --silence--------> nothing; the platform will ask again
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from contracts.events import PremiumAccepted, PremiumRefused, PremiumRequested, Told, event
from contracts.topics import from_province
from kit.transaction import Transaction
from sandbox.domain.behaviour import WELL_BEHAVED, Voice
from sandbox.domain.commands import AnswerPremium
from sandbox.domain.core import Contradiction
from sandbox.domain.decided import DONE, Decided
from sandbox.store.behaviours import read_voice, write_held_answers
from sandbox.store.premiums import DecidedPremium, insert_premiums, premiums_by_id


async def answer_premium(
    tx: Transaction, commands: Sequence[AnswerPremium], now: datetime
) -> list[Decided]:
    known = await premiums_by_id(tx, [command.request.payment_id for command in commands])
    voice = await read_voice(tx, {command.province for command in commands})
    before = set(known)

    decisions = [_decide(known, voice, command, now) for command in commands]

    await insert_premiums(tx, [known[new] for new in known if new not in before], now)
    await write_held_answers(tx, voice.held)
    return decisions


def _decide(
    known: dict[UUID, DecidedPremium], voice: Voice, command: AnswerPremium, now: datetime
) -> Decided:
    request = command.request
    premium = known.get(request.payment_id)
    if premium is None:
        said = voice.behaviours.get(command.province, WELL_BEHAVED).premium
        if said == "silent":
            return Decided(answer=DONE)
        state = "accepted" if said == "accept" else "refused"
        premium = _decided(command.province, request, state)
        known[request.payment_id] = premium
    elif premium != _decided(command.province, request, premium.state):
        raise Contradiction(f"premium {request.payment_id} was asked for differently before")
    told = event(
        from_province(command.province), premium.psn_no, premium.payment_id, _said(premium)
    )
    return Decided(answer=DONE, events=voice.tell(command.province, told, now))


def _decided(province: str, request: PremiumRequested, state: str) -> DecidedPremium:
    return DecidedPremium(
        payment_id=request.payment_id,
        province=province,
        psn_no=request.psn_no,
        levy_no=request.levy_no,
        insutype=request.insutype,
        year=request.year,
        amount_fen=request.amount_fen,
        state=state,
    )


def _said(premium: DecidedPremium) -> Told:
    """What was refunded had been accepted; that it was refunded was told by itself."""
    if premium.state == "refused":
        return PremiumRefused(
            payment_id=premium.payment_id, levy_no=premium.levy_no, reason="refused"
        )
    return PremiumAccepted(payment_id=premium.payment_id, levy_no=premium.levy_no)
