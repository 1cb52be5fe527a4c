"""The rule of a premium: set aside until the levy's own fund has accepted or refused it (R10).

available --amount--> held         of each sharer in order; the fund's province is asked

An active enrolment is not asked for: who has lost it for want of a premium may pay one, also from
quotas that are suspended with it (R5). Wallet and areas have to be open (R29).
"""

from __future__ import annotations

from contracts.commands import PayPremium
from contracts.refusals import AreaNotOpen, QuotaInsufficient, RelationNotActive, WalletNotOpen
from contracts.vocabulary import Book, PaymentState, QuotaState
from contracts.vocabulary import Premium as Purpose
from kit.refusal import Refusal, WrongState
from wallet.domain import facts
from wallet.domain.books import Books, Entry, Quota, Wallet
from wallet.domain.charge import OpenAreas
from wallet.domain.decisions import Decision, refused
from wallet.domain.patience import Insistence
from wallet.domain.payment import Allocation, Payment
from wallet.domain.premium import Premium, Premiums, PremiumState, requested
from wallet.domain.views import payment_answer
from wallet.domain.waterfall import allocate, in_order


def pay_premium(
    books: Books,
    premiums: Premiums,
    command: PayPremium,
    areas: OpenAreas,
    insistence: Insistence,
) -> Decision:
    """Hold the whole premium and ask the fund; answers 202 with the payment, or refuses by name."""
    if not command.entitled:
        return refused(RelationNotActive("who asks does not share with the person any more"))
    wallet = books.wallets.get(command.person_id)
    if wallet is None or wallet.opened_at is None:
        return refused(WalletNotOpen())
    refusal = _refusal(books, premiums, command, wallet, areas)
    if refusal is not None:
        return refused(refusal)
    allocations = allocate(_usable(books, wallet, areas), command.amount_fen)
    amount = sum(allocation.amount for allocation in allocations)
    if amount < command.amount_fen:
        return refused(QuotaInsufficient(f"{amount} fen are available"))

    # From here on the premium is set aside.
    payment = _payment_of(books, command, wallet, allocations)
    premium = Premium(
        payment_id=payment.payment_id,
        person_id=command.person_id,
        insutype=command.insutype,
        year=command.year,
        levy_no=command.levy_no,
        psn_no=wallet.psn_no,
        state=PremiumState.ASKED,
        times=1,
        ask_again_at=books.moment.now + insistence.after(1),
    )
    premiums.add(premium)
    entries = tuple(
        Entry(
            quota_id=allocation.quota_id,
            source=Book.AVAILABLE,
            target=Book.HELD,
            amount=allocation.amount,
            payment_id=payment.payment_id,
        )
        for allocation in allocations
    )
    books.post(entries)
    return Decision(
        answer=payment_answer(202, payment),
        payment=payment,
        entries=entries,
        events=(facts.held(books, payment), requested(books, payment, premium)),
    )


def _refusal(
    books: Books, premiums: Premiums, command: PayPremium, wallet: Wallet, areas: OpenAreas
) -> Refusal | None:
    if not areas.area_open(wallet.pool_admdvs, books.moment.day):
        return AreaNotOpen(f"area {wallet.pool_admdvs}")
    if premiums.is_taken((command.person_id, command.insutype, command.year, command.levy_no)):
        return WrongState("a premium of this levy is held or was paid")
    return None


def _usable(books: Books, wallet: Wallet, areas: OpenAreas) -> list[Quota]:
    """In order; what is suspended with the beneficiary's own insurance gives all the same."""
    return [
        quota
        for quota in in_order(books.quotas_of(wallet.person_id))
        if quota.state is not QuotaState.ENDED
        and not (quota.suspended and wallet.insured)
        and areas.area_open(quota.sharer_admdvs, books.moment.day)
    ]


def _payment_of(
    books: Books, command: PayPremium, wallet: Wallet, allocations: tuple[Allocation, ...]
) -> Payment:
    moment = books.moment
    return Payment(
        payment_id=books.new_id(),
        person_id=command.person_id,
        institution=None,
        mdtrtarea_admvs=None,
        insuplc_admdvs=wallet.pool_admdvs,
        purpose=Purpose(f"premium_{command.insutype}"),
        admission_id=None,
        state=PaymentState.HELD,
        requested=command.amount_fen,
        amount=command.amount_fen,
        captured=0,
        refunded=0,
        bill=None,
        allocations=allocations,
        business_date=moment.day,
        period=moment.period,
        held_at=moment.now,
        captured_at=None,
        expires_at=None,
    )
