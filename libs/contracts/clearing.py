"""The month as clerks and institutions see it: gross, in whole fen, Beijing months (R15, R16)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from contracts.vocabulary import (
    Admdvs,
    Fact,
    Fen,
    Month,
    PaidFor,
    PeriodState,
    PrefundLevel,
    Signed,
    Tier,
    Total,
)

Count = Annotated[int, Field(strict=True, ge=0)]


class Difference(Fact):
    """Where a cell's control totals are not what was received: in lines and fen, theirs less ours.

    `what` is missing (the wallet counts more), extra (we count more), or changed (as many, but
    not the same). `named` are lines of ours that explain it, as `cause_id/quota_id`.
    """

    cell: Count
    debtor: Admdvs
    creditor: Admdvs
    kind: PaidFor
    what: Literal["missing", "extra", "changed"]
    count: Annotated[int, Field(strict=True)]
    sum_fen: Signed
    named: tuple[str, ...] = ()


class ProvinceAnswer(Fact):
    """What a province said of the statement it was issued; null while it has said nothing."""

    province: Admdvs
    answer: Literal["confirmed", "disputed"] | None
    at: datetime | None


class Transfer(Fact):
    """What one province owes another for the month, and what of it was paid, in fen."""

    payer: Admdvs
    payee: Admdvs
    amount_fen: Fen
    paid_fen: Total


class Period(Fact):
    """A month and how far it is. What it has not reached yet is null or empty."""

    period: Month
    state: PeriodState
    cut_at: datetime | None = None
    balanced_at: datetime | None = None
    issued_at: datetime | None = None
    confirmed_at: datetime | None = None
    paid_at: datetime | None = None
    closed_at: datetime | None = None
    version: Count | None = None
    digest: str | None = None
    cells: Count | None = None
    cells_heard: Count | None = None
    count: Count | None = None
    sum_fen: Signed | None = None
    differences: tuple[Difference, ...] = ()
    answers: tuple[ProvinceAnswer, ...] = ()
    transfers: tuple[Transfer, ...] = ()


class StatementLine(Fact):
    """What a debtor owes a creditor for one kind; the sum includes the adjustments.

    `count` are its lines, those given back among them. Adjustments are those of them whose
    payment was captured in an earlier month (R22).
    """

    debtor: Admdvs
    creditor: str
    kind: PaidFor
    count: Count
    sum_fen: Signed
    adjustments_count: Count
    adjustments_fen: Signed


class StatementTotals(Fact):
    """The lines of a statement added up."""

    count: Count
    sum_fen: Signed
    adjustments_count: Count
    adjustments_fen: Signed


class Net(Fact):
    """What two provinces would owe each other if it were netted: shown, never transferred (R15)."""

    payer: Admdvs
    payee: Admdvs
    amount_fen: Fen


class Statement(Fact):
    """A month's statement of one tier. Debtor and creditor are provinces (national), pools
    (province, city) or a pool and an institution (institution).

    `net` stands beside the gross lines of the national tier, and `diagonal` is what stays inside
    a province: no part of `lines` there.
    """

    period: Month
    tier: Tier
    version: Annotated[int, Field(strict=True, ge=1)]
    digest: str
    lines: tuple[StatementLine, ...]
    totals: StatementTotals
    net: tuple[Net, ...] = ()
    diagonal: tuple[StatementLine, ...] = ()


class Prefund(Fact):
    """What the debtor province deposited with the creditor, and how much of it is used (R16)."""

    debtor: Admdvs
    creditor: Admdvs
    amount_fen: Total
    used_fen: Signed
    ratio_percent: Count
    level: PrefundLevel


class PrefundsListed(Fact):
    """Prefunds by debtor and creditor."""

    items: tuple[Prefund, ...]
    next_cursor: str | None
    as_of: datetime
