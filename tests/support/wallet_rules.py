"""Books for the wallet's pure rules: one beneficiary at Alar, with quotas, at one moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from contracts.commands import Pay
from contracts.vocabulary import InstitutionKind, Purpose, QuotaState
from kit.refusal import Refusal
from tests.support.bills import bill_of
from wallet.domain.books import Books, Moment, Quota, Wallet
from wallet.domain.decisions import Decision

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
ME = UUID(int=1)


class Everywhere:
    def __init__(self, *closed: str) -> None:
        self.closed = closed

    def area_open(self, code: str, day: date, /) -> bool:
        return code not in self.closed

    def needs_registration(self, insured_at: str, day: date, /) -> bool:
        return False

    def lies_in(self, place: str, area: str, day: date, /) -> bool:
        return place == area


def quota(available: int, *, age_days: int = 1, sharer_admdvs: str = "440300") -> Quota:
    return Quota(
        quota_id=uuid4(),
        relation_id=uuid4(),
        beneficiary_id=ME,
        sharer_id=uuid4(),
        sharer_psn_no="44030000001",
        sharer_admdvs=sharer_admdvs,
        kind="parent",
        related_at=NOW - timedelta(days=age_days),
        state=QuotaState.ACTIVE if available else QuotaState.OPENED,
        refusal=None,
        granted=available,
        available=available,
        held=0,
        spent=0,
        restoring=0,
        returned=0,
        version=1,
    )


def books_with(*quotas: Quota, insured: bool = True, opened: bool = True) -> Books:
    books = Books(
        moment=Moment(now=NOW, day=date(2026, 11, 20), period="2026-11"),
        new_id=uuid4,
        province_of=lambda code: code[:2] + "0000",
    )
    books.wallets[ME] = Wallet(
        person_id=ME,
        version=1,
        psn_no="65900000001",
        pool_admdvs="659002",
        insutype="390",
        insured=insured,
        opened_at=NOW if opened else None,
    )
    books.add(quotas)
    return books


def payment(amount: int, **changes: object) -> Pay:
    given: dict[str, object] = {
        "person_id": ME,
        "institution": "P65900200001",
        "institution_kind": InstitutionKind.PHARMACY,
        "mdtrtarea_admvs": "659002",
        "wallet_enabled": True,
        "presence_expires_at": NOW + timedelta(minutes=10),
        "purpose": Purpose.PHARMACY,
        "bill": bill_of(max(amount, 1)),
        "amount_fen": amount,
        "partial": False,
    }
    return Pay.model_validate(given | changes)


def refusal_of(decision: Decision) -> type[Refusal]:
    assert isinstance(decision.answer, Refusal)
    return type(decision.answer)
