"""What the checkers look at. Amounts are fen; ids are text, as they stand on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BOOKS = ("available", "held", "spent", "restoring", "returned")
"""The books of a quota; `province` is outside of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    quota_id: str
    granted: int
    available: int = 0
    held: int = 0
    spent: int = 0
    restoring: int = 0
    returned: int = 0
    sharer_psn_no: str = ""

    def book(self, name: str) -> int:
        return int(getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """All entries of a quota from one book into another that one payment (or none) caused."""

    quota_id: str
    payment_id: str | None
    source: str
    target: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    payment_id: str
    amount: int
    captured: int
    refunded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    payment_id: str
    quota_id: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a province was asked to do: kind freeze, unfreeze, debit or credit.

    `state` is sent, given_up (a freeze that a clerk counts on no more), confirmed or refused.
    """

    order_id: str
    quota_id: str
    kind: str
    amount: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saga:
    """Something begun that has not ended, `kind` and `name` of it.

    `waits_for` is who moves it on, None where nobody will, and `seconds` how long that has been
    due. `parked` is why it waits for a clerk instead.
    """

    kind: str
    name: str
    waits_for: str | None
    seconds: float = 0.0
    parked: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An answer that the ledger remembers under its key."""

    caller: str
    scope: str
    key: str
    status: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request under a key as its sender saw it answered."""

    key: str
    status: int
    body: str
    replayed: bool = False
    caller: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One snapshot of all that wallets keep."""

    quotas: tuple[Quota, ...] = ()
    flows: tuple[Flow, ...] = ()
    payments: tuple[Payment, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    orders: tuple[Order, ...] = ()
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event in an outbox; `source` is whose, `published` says whether it is marked so."""

    source: str = ""
    event_id: str
    topic: str
    key: str
    sequence: int
    published: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A record of a topic; `sequence` is None where its source gives none."""

    topic: str
    partition: int
    offset: int
    event_id: str
    source: str
    key: str
    sequence: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumed:
    """How far a service has come with one key of a source's topic."""

    service: str
    source: str
    topic: str
    key: str
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What a province has frozen for a quota."""

    quota_id: str
    psn_no: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provinces:
    """The accounts of the provinces that can be read: their holders and what is frozen."""

    holders: frozenset[str] = frozenset()
    frozen: tuple[Frozen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one quota gave to a payment, or got back of it: then the amount is below zero.

    `cause_id` is the payment or the opposite row, `captured_period` the month of the payment.
    """

    cell: int
    cause_id: str
    quota_id: str
    payment_id: str
    period: str
    captured_period: str
    debtor: str
    creditor: str
    kind: str
    institution: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A cell's control totals as it told them: debtor, creditor, kind → count, sum, hash."""

    period: str
    cell: int
    cells: int
    totals: Mapping[tuple[str, str, str], tuple[int, int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What a province was issued: counterpart, kind, direction → count, sum; and what is inside."""

    event_id: str
    province: str
    period: str
    version: int
    digest: str
    lines: Mapping[tuple[str, str, str], tuple[int, int]]
    inside: Mapping[tuple[str, str, str], tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A province was told that a month is closed."""

    event_id: str
    province: str
    period: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What a province said on its own topic that it had paid another."""

    event_id: str
    period: str
    payer: str
    payee: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToppedUp:
    """What a province said on its own topic that it had deposited with another."""

    event_id: str
    province: str
    counterpart: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefundSeen:
    """A prefund as the public route tells it."""

    debtor: str
    creditor: str
    deposited: int
    used: int
    ratio_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementSeen:
    """A statement's text, and its text after the month was issued and closed once more."""

    tier: str
    whose: str
    body: str
    again: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSeen:
    """A month as the public routes tell it; `repeated` are the answers to steps done again."""

    period: str
    body: str
    repeated: tuple[str, ...] = ()
    statements: tuple[StatementSeen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Months:
    """All that is known of months: as the ledger has it, as settlement, as anybody was told.

    `lines` come from the wallet's entries, `replayed` from its payments and opposite rows.
    """

    lines: tuple[Line, ...] = ()
    replayed: tuple[Line, ...] = ()
    recorded: tuple[Line, ...] = ()
    cuts: tuple[Cut, ...] = ()
    issued: tuple[Issued, ...] = ()
    closed: tuple[Closed, ...] = ()
    paid: tuple[Paid, ...] = ()
    topped_up: tuple[ToppedUp, ...] = ()
    prefunds: tuple[PrefundSeen, ...] = ()
    seen: tuple[MonthSeen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Bytes that somebody may read, and where they stand."""

    where: str
    content: bytes = field(repr=False)
