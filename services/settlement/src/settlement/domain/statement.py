"""Statements: what a month's lines add up to, gross, in four tiers (R15).

national      province owes province; what stays inside a province is the diagonal, shown apart
province      pool owes pool, where either lies in the province
city          pool owes pool, where it is either
institution   pool owes the place of care for what one institution did

Netting is only ever shown: what is transferred is gross, pair by pair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts import clearing
from contracts.vocabulary import PaidFor


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a debtor owes a creditor for one kind: how many lines, and fen that may be below 0.

    The adjusting ones are among them: opposite rows of payments of an earlier month (R22).
    """

    debtor: str
    creditor: str
    kind: PaidFor
    lines: int
    amount: int
    adjusting_lines: int
    adjusting_amount: int

    @property
    def is_inside(self) -> bool:
        """Debtor and creditor are the same province: the diagonal."""
        return self.debtor == self.creditor


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What one pool of a province owes another, or itself."""

    province: str
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """All that a balanced month is issued as. `digest` covers its finest rows.

    `national` are rows between provinces, the diagonal among them; `inside` is the diagonal, pool
    by pool.
    """

    digest: str
    national: tuple[Row, ...]
    inside: tuple[Inside, ...]

    @property
    def lines(self) -> int:
        return sum(row.lines for row in self.national)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Every province that owes, is owed, or has something inside it."""
        return tuple(sorted({each for row in self.national for each in (row.debtor, row.creditor)}))

    @property
    def is_national(self) -> bool:
        """Whether any line crosses a province's border."""
        return any(not row.is_inside for row in self.national)

    def owed(self) -> dict[tuple[str, str], int]:
        """What each province owes each other one, over all kinds; below 0 it is owed it back."""
        owed: dict[tuple[str, str], int] = defaultdict(int)
        for row in self.national:
            if not row.is_inside:
                owed[row.debtor, row.creditor] += row.amount
        return {pair: amount for pair, amount in sorted(owed.items()) if amount}


def net(rows: Iterable[Row]) -> tuple[clearing.Net, ...]:
    """What each two provinces would owe each other if it were netted; pairs at 0 are left out."""
    positions: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        if row.debtor < row.creditor:
            positions[row.debtor, row.creditor] += row.amount
        elif row.debtor > row.creditor:
            positions[row.creditor, row.debtor] -= row.amount
    return tuple(
        clearing.Net(
            payer=pair[0] if amount > 0 else pair[1],
            payee=pair[1] if amount > 0 else pair[0],
            amount_fen=abs(amount),
        )
        for pair, amount in sorted(positions.items())
        if amount
    )


def totals(rows: Sequence[Row]) -> clearing.StatementTotals:
    return clearing.StatementTotals(
        count=sum(row.lines for row in rows),
        sum_fen=sum(row.amount for row in rows),
        adjustments_count=sum(row.adjusting_lines for row in rows),
        adjustments_fen=sum(row.adjusting_amount for row in rows),
    )
