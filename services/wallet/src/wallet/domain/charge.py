"""What paying and holding have in common: who may, what of the bill, from which quotas."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from contracts.commands import Charge, Quote, Visit
from contracts.refusals import (
    AreaNotOpen,
    ExceedsPersonalBurden,
    InstitutionNotEnabled,
    NotInsured,
    PresenceExpired,
    QuotaInsufficient,
    RegistrationRequired,
    WalletNotOpen,
)
from contracts.vocabulary import PaymentState
from kit.refusal import Invalid, NotFound, Refusal
from wallet.domain import bill as bills
from wallet.domain.books import Books, Moment, Quota, Wallet
from wallet.domain.payment import Allocation, Payment
from wallet.domain.waterfall import allocate, in_order


class OpenAreas(Protocol):
    """Where mutual aid is open on which day (R29), and to whom; the policy's data answers."""

    def area_open(self, code: str, day: date, /) -> bool: ...

    def needs_registration(self, insured_at: str, day: date, /) -> bool:
        """Whether who is insured there pays only where registered (R26)."""

    def lies_in(self, place: str, area: str, day: date, /) -> bool: ...


def unpayable(books: Books, command: Charge | Quote, areas: OpenAreas) -> Refusal | None:
    """Why this may not be taken from anybody's quota, or None."""
    wallet = books.wallets.get(command.person_id)
    refusal = (
        _is_gone(command, books.moment)
        or _quoted_otherwise(command)
        or _who_may(wallet, command, books.moment, areas)
    )
    if refusal is not None:
        return refusal
    assert wallet is not None
    return _what_may(command, shared_first=books.shared_first(wallet.pool_admdvs))


def allocated(
    books: Books, command: Charge, areas: OpenAreas
) -> tuple[Allocation, ...] | QuotaInsufficient:
    """What each sharer gives, in order: all that is wanted, or what there is where that will do."""
    allocations = allocate(usable(books, command.person_id, areas), command.amount_fen)
    amount = sum([allocation.amount for allocation in allocations])
    if amount < command.amount_fen and not (command.partial and amount > 0):
        return QuotaInsufficient(f"{amount} fen are available")
    return allocations


def payment_of(
    books: Books,
    command: Charge,
    allocations: tuple[Allocation, ...],
    *,
    captured: bool,
    expires_at: datetime | None = None,
) -> Payment:
    """A new payment, captured at once or held until `expires_at`."""
    moment = books.moment
    amount = sum([allocation.amount for allocation in allocations])
    return Payment(
        payment_id=books.new_id(),
        person_id=command.person_id,
        institution=command.institution,
        mdtrtarea_admvs=command.mdtrtarea_admvs,
        insuplc_admdvs=books.wallets[command.person_id].pool_admdvs,
        purpose=command.purpose,
        admission_id=command.admission_id,
        state=PaymentState.CAPTURED if captured else PaymentState.HELD,
        requested=command.amount_fen,
        amount=amount,
        captured=amount if captured else 0,
        refunded=0,
        bill=command.bill,
        allocations=allocations,
        business_date=moment.day,
        period=moment.period,
        held_at=moment.now,
        captured_at=moment.now if captured else None,
        expires_at=expires_at,
    )


def _is_gone(command: Visit, moment: Moment) -> Refusal | None:
    return PresenceExpired() if moment.now >= command.presence_expires_at else None


def _quoted_otherwise(command: Charge | Quote) -> Refusal | None:
    if isinstance(command, Quote) or command.quote_fault is None:
        return None
    if command.quote_fault == "different":
        return Invalid("quote_id: it was given for another bill or purpose")
    return NotFound("there is no quote with this quote_id, or it has expired")


def _who_may(
    wallet: Wallet | None, command: Visit, moment: Moment, areas: OpenAreas
) -> Refusal | None:
    if wallet is not None and not wallet.insured:
        return NotInsured()
    if wallet is None or wallet.opened_at is None:
        return WalletNotOpen()
    if not command.wallet_enabled:
        return InstitutionNotEnabled()
    return _where_not(wallet, command, moment, areas)


def _where_not(wallet: Wallet, command: Visit, moment: Moment, areas: OpenAreas) -> Refusal | None:
    for code in (wallet.pool_admdvs, command.mdtrtarea_admvs):
        if not areas.area_open(code, moment.day):
            return AreaNotOpen(f"area {code}")
    if areas.needs_registration(wallet.pool_admdvs, moment.day) and not _is_registered(
        wallet, command.mdtrtarea_admvs, moment.day, areas
    ):
        return RegistrationRequired()
    return None


def _is_registered(wallet: Wallet, place: str, day: date, areas: OpenAreas) -> bool:
    return any(
        each.valid_from <= day <= each.valid_to and areas.lies_in(place, each.mdtrtarea_admvs, day)
        for each in wallet.registrations
    )


def _what_may(command: Charge | Quote, *, shared_first: bool) -> Refusal | None:
    refusal = bills.purpose_refusal(command.bill, command.purpose, command.institution_kind)
    refusal = refusal or bills.contradiction(command.bill)
    if refusal is not None:
        return refusal
    most = bills.payable(command.bill, shared_first=shared_first)
    if command.amount_fen is not None and command.amount_fen > most:
        return ExceedsPersonalBurden(f"at most {most} fen")
    return None


def usable(books: Books, beneficiary_id: UUID, areas: OpenAreas) -> list[Quota]:
    """The quotas that may give anything today, in the order of deduction."""
    return [
        quota
        for quota in in_order(books.quotas_of(beneficiary_id))
        if quota.usable and areas.area_open(quota.sharer_admdvs, books.moment.day)
    ]
