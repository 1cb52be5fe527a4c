"""The rule of a fund's answer to a premium, and of asking one again that keeps silent (R10).

accepted     held --amount--> spent             the sharers' provinces are told to debit
refused      held --amount--> available         returned, where the relation has ended
refunded     spent --amount--> restoring        the way of any refund (R31)
             held --amount--> available         where nobody had said that it was accepted
"""

from __future__ import annotations

from dataclasses import replace

from contracts.vocabulary import PaymentState
from kit.answers import answer
from kit.refusal import NotFound, Refusal, WrongState
from wallet.domain import facts
from wallet.domain.books import Books
from wallet.domain.capture import charged
from wallet.domain.commands import AskPremiumAgain, RecordPremiumAnswer
from wallet.domain.decisions import NOTHING_NEW, Decision, refused
from wallet.domain.patience import Insistence
from wallet.domain.payment import Payment, RefundKind
from wallet.domain.premium import Premium, Premiums, PremiumState, requested
from wallet.domain.refund import give_up
from wallet.domain.release import released

NEWS = {
    PremiumState.ASKED: {PremiumState.ACCEPTED, PremiumState.REFUSED, PremiumState.REFUNDED},
    PremiumState.ACCEPTED: {PremiumState.REFUNDED},
    PremiumState.REFUSED: set(),
    PremiumState.REFUNDED: set(),
}
"""What a fund may still say of a premium; all else was said before, or contradicts it."""

SAID_BEFORE = {
    PremiumState.ACCEPTED: {PremiumState.ACCEPTED},
    PremiumState.REFUSED: {PremiumState.REFUSED},
    PremiumState.REFUNDED: {PremiumState.ACCEPTED, PremiumState.REFUNDED},
}


def record_premium_answer(
    books: Books, premiums: Premiums, command: RecordPremiumAnswer
) -> Decision:
    """Apply the answer once; the same answer again changes nothing, another one is refused."""
    known = _known(books, premiums, command)
    if isinstance(known, Refusal):
        return refused(known)
    premium, payment = known
    if command.said not in NEWS[premium.state]:
        if command.said in SAID_BEFORE[premium.state]:
            return NOTHING_NEW
        return refused(WrongState(f"the premium was already {premium.state}"))

    # From here on the answer is applied.
    premiums.put(replace(premium, state=command.said, reason=command.reason))
    if command.said is PremiumState.ACCEPTED:
        return charged(books, payment, payment.amount)
    if payment.state is PaymentState.HELD:
        return released(books, payment)
    return _given_back(books, payment, command.reason)


def _known(
    books: Books, premiums: Premiums, command: RecordPremiumAnswer
) -> tuple[Premium, Payment] | Refusal:
    premium = premiums.known.get(command.payment_id)
    if premium is None or premium.levy_no != command.levy_no:
        return NotFound("no premium of this levy was asked for under this id")
    payment = books.payments[premium.payment_id]
    if command.province != books.province_of(payment.insuplc_admdvs):
        return NotFound("no premium was asked of this province under this id")
    return premium, payment


def _given_back(books: Books, payment: Payment, reason: str | None) -> Decision:
    given = give_up(
        books,
        payment,
        payment.charged,
        kind=RefundKind.REFUND,
        reason=reason or "the premium was refunded",
    )
    told = facts.refunded(books, given.payment, given.refund, given.parts)
    return Decision(
        answer=answer(200, {}),
        refund=given.refund,
        entries=given.entries,
        orders=given.orders,
        events=(told, *given.events),
    )


def ask_again(
    books: Books, premiums: Premiums, command: AskPremiumAgain, insistence: Insistence
) -> Decision:
    """Ask a silent fund the same once more, unless it has answered or was asked meanwhile."""
    premium = premiums.known.get(command.payment_id)
    if premium is None or premium.state is not PremiumState.ASKED:
        return NOTHING_NEW
    if premium.times != command.times or books.moment.now < premium.ask_again_at:
        return NOTHING_NEW
    times = premium.times + 1
    again = replace(premium, times=times, ask_again_at=books.moment.now + insistence.after(times))
    premiums.put(again)
    payment = books.payments[premium.payment_id]
    return Decision(answer=answer(200, {}), events=(requested(books, payment, again),))
