"""A premium's conversation with the levy's own fund, and the batch's one mutable copy of those.

    asked ──▶ accepted ──▶ refunded
      │                       ▲
      ├──▶ refused            │ the fund gave back what it had accepted, and said so first
      └───────────────────────┘

A silent fund is asked again and again, at longer intervals; a premium's hold does not expire.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts import events, topics
from contracts.vocabulary import PremiumScheme
from kit.work import Event
from wallet.domain.books import Books
from wallet.domain.payment import Payment

Levy = tuple[UUID, PremiumScheme, int, str]
"""Person, scheme, year and number of the levy: what is paid once."""


class PremiumState(StrEnum):
    ASKED = "asked"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Premium:
    """What a payment of a premium is for, and how often its fund was asked.

    The person is named as the fund's province knew them when it was first asked, so that it is
    always asked for the same.
    """

    payment_id: UUID
    person_id: UUID
    insutype: PremiumScheme
    year: int
    levy_no: str
    psn_no: str
    state: PremiumState
    times: int
    ask_again_at: datetime
    reason: str | None = None

    def __post_init__(self) -> None:
        assert self.times >= 1

    @property
    def levy(self) -> Levy:
        return self.person_id, self.insutype, self.year, self.levy_no

    @property
    def lives(self) -> bool:
        """Whether its money is set aside or was paid: nobody pays the levy a second time."""
        return self.state in (PremiumState.ASKED, PremiumState.ACCEPTED)


@dataclass(slots=True, kw_only=True)
class Premiums:
    """The premiums that a batch works on, by payment; each command sees what the last one did."""

    known: dict[UUID, Premium]
    new: list[Premium] = field(default_factory=list)
    _touched: set[UUID] = field(default_factory=set)

    def is_taken(self, levy: Levy) -> bool:
        return any(premium.lives and premium.levy == levy for premium in self.known.values())

    def add(self, premium: Premium) -> None:
        self.known[premium.payment_id] = premium
        self.new.append(premium)

    def put(self, premium: Premium) -> None:
        """Replace a premium by what became of it."""
        assert premium.payment_id in self.known
        self._touched.add(premium.payment_id)
        self.known[premium.payment_id] = premium

    def changed(self) -> Iterable[Premium]:
        return [self.known[payment_id] for payment_id in self._touched]


def requested(books: Books, payment: Payment, premium: Premium) -> Event:
    """The question to the province of the enrolment area, whose fund is the payee."""
    body = events.PremiumRequested(
        payment_id=payment.payment_id,
        levy_no=premium.levy_no,
        psn_no=premium.psn_no,
        pool_admdvs=payment.insuplc_admdvs,
        insutype=premium.insutype,
        year=premium.year,
        amount_fen=payment.amount,
    )
    topic = topics.to_province(books.province_of(payment.insuplc_admdvs))
    first = payment.allocations[0].quota_id
    return events.event(topic, first, payment.payment_id, body)
