"""What settlement is told or asked, one class a use case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from contracts.events import PeriodCut
from settlement.domain.statement import Statements
from settlement.domain.told import PaymentTold


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLine:
    """A payment was captured, or some of it given back (`sign` -1), or charged again.

    `cause_id` is the payment or the opposite row, `cell` the one whose payment it is.
    """

    payment: PaymentTold
    cause_id: str
    cell: int
    happened_at: datetime
    sign: Literal[1, -1] = 1

    @property
    def is_capture(self) -> bool:
        return self.cause_id == self.payment.payment_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCut:
    """A cell of the wallet told what its month adds up to."""

    cut: PeriodCut


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancePeriod:
    """All cells' totals were compared with what was received, and are the same.

    `compared` is how many lines each cell had then: another line since shows in it.
    """

    period: str
    compared: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueStatements:
    """A clerk has a month's statements sent; `statements` were read once it was balanced."""

    period: str
    statements: Statements | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePeriod:
    """A clerk closes a month that is paid."""

    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAnswer:
    """A province confirmed or disputed its statement; `lines` is the JSON of what it disputes."""

    answer_id: UUID
    province: str
    period: str
    version: int
    answer: Literal["confirmed", "disputed"]
    lines: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTransfer:
    """A province told that money was transferred for a month, in fen."""

    transfer_id: UUID
    province: str
    period: str
    version: int
    tier: Literal["interprovince", "province_city", "institution"]
    payer: str
    payee: str
    amount: int
    paid_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTopUp:
    """A province deposited more with another one, in fen (R16)."""

    top_up_id: UUID
    debtor: str
    creditor: str
    amount: int

    @property
    def pair(self) -> tuple[str, str]:
        return self.debtor, self.creditor
