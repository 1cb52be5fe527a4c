"""The books of quotas, and the batch's one mutable copy of them.

    granted = available + held + spent + restoring + returned,  each ≥ 0

An entry moves money from one book of a quota to another; the province's book is outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from operator import attrgetter
from uuid import UUID

from contracts.events import Balances
from contracts.vocabulary import Book, QuotaState
from wallet.domain.payment import Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a batch happens: instant UTC, Beijing day, and the month it is cleared in."""

    now: datetime
    day: date
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Where somebody may be treated, from one Beijing day to another, both included (R26)."""

    mdtrtarea_admvs: str
    valid_from: date
    valid_to: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """A person as the wallet knows them: where insured (R18), and whether the wallet is open."""

    person_id: UUID
    version: int
    psn_no: str
    pool_admdvs: str
    insutype: str
    insured: bool
    opened_at: datetime | None
    registrations: tuple[Registration, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Money that moved between two books of one quota, in fen, and what caused it.

    What is spent or given back is a line of a month, its `period`; one of an opposite row names
    that row as `refund_id`.
    """

    quota_id: UUID
    source: Book
    target: Book
    amount: int
    payment_id: UUID | None = None
    order_id: UUID | None = None
    period: str | None = None
    refund_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a sharer lets a beneficiary spend. Amounts in fen; `version` counts its changes."""

    quota_id: UUID
    relation_id: UUID
    beneficiary_id: UUID
    sharer_id: UUID
    sharer_psn_no: str
    sharer_admdvs: str
    kind: str
    related_at: datetime
    state: QuotaState
    refusal: str | None
    granted: int
    available: int
    held: int
    spent: int
    restoring: int
    returned: int
    version: int
    suspended: bool = False
    rank: int | None = None

    def __post_init__(self) -> None:
        books = (self.available, self.held, self.spent, self.restoring, self.returned)
        assert min(books) >= 0, f"a book of quota {self.quota_id} is overdrawn"
        assert self.granted == sum(books), f"quota {self.quota_id} does not conserve money"

    @property
    def usable(self) -> bool:
        """Whether anything new may be held or paid from it (R5, R32)."""
        return self.available > 0 and not self.suspended and self.state is not QuotaState.ENDED

    def posted(self, entry: Entry) -> Quota:
        """This quota after an entry."""
        assert entry.quota_id == self.quota_id
        assert entry.amount > 0
        # Every payment comes here: `replace` would take half as long again.
        after = dict(zip(_FIELDS, _values_of(self), strict=True))
        after[entry.target.value] += entry.amount
        if entry.source is Book.PROVINCE:
            after["granted"] += entry.amount
        else:
            after[entry.source.value] -= entry.amount
        return Quota(**after)

    def balances(self) -> Balances:
        return Balances(
            quota_id=self.quota_id,
            granted_fen=self.granted,
            available_fen=self.available,
            held_fen=self.held,
            spent_fen=self.spent,
            restoring_fen=self.restoring,
            returned_fen=self.returned,
        )


_FIELDS = tuple(each.name for each in fields(Quota))
_values_of = attrgetter(*_FIELDS)


def own_first(_insured_at: str) -> bool:
    """What most regions say of relatives' money: not first."""
    return False


@dataclass(slots=True, kw_only=True)
class Books:
    """What a batch works on: each command sees what the last one did.

    The wallets and quotas of everyone in it, and the payments that it is about.
    """

    moment: Moment
    new_id: Callable[[], UUID]
    province_of: Callable[[str], str]
    shared_first: Callable[[str], bool] = own_first
    """Whether relatives pay before the own account where somebody is insured (R12)."""

    wallets: dict[UUID, Wallet] = field(default_factory=dict)
    quotas: dict[UUID, Quota] = field(default_factory=dict)
    payments: dict[UUID, Payment] = field(default_factory=dict)
    _of_beneficiary: dict[UUID, list[UUID]] = field(default_factory=dict)
    _touched: dict[UUID, int] = field(default_factory=dict)
    _touched_payments: set[UUID] = field(default_factory=set)

    def add(self, quotas: Iterable[Quota]) -> None:
        for quota in quotas:
            self.quotas[quota.quota_id] = quota
            self._of_beneficiary.setdefault(quota.beneficiary_id, []).append(quota.quota_id)

    def quotas_of(self, beneficiary_id: UUID) -> list[Quota]:
        """All quotas that a beneficiary was given, in no order."""
        return [self.quotas[quota_id] for quota_id in self._of_beneficiary.get(beneficiary_id, ())]

    def quota_of_relation(self, beneficiary_id: UUID, relation_id: UUID) -> Quota | None:
        for quota in self.quotas_of(beneficiary_id):
            if quota.relation_id == relation_id:
                return quota
        return None

    def post(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.put(self.quotas[entry.quota_id].posted(entry))

    def put(self, quota: Quota) -> None:
        """Replace a quota by what became of it; its version on disk is remembered."""
        before = self.quotas[quota.quota_id]
        self._touched.setdefault(quota.quota_id, before.version)
        self.quotas[quota.quota_id] = quota

    def put_payment(self, payment: Payment) -> None:
        """Replace a payment by what became of it; `version` is still the one on disk."""
        assert payment.version == self.payments[payment.payment_id].version
        self._touched_payments.add(payment.payment_id)
        self.payments[payment.payment_id] = payment

    def changed_payments(self) -> list[Payment]:
        return [self.payments[payment_id] for payment_id in self._touched_payments]

    def changed(self) -> list[tuple[int, Quota]]:
        """Every quota that was changed, with the version it was read at."""
        return [(version, self.quotas[quota_id]) for quota_id, version in self._touched.items()]
