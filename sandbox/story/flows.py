"""What flows between provinces by the months' national statements: a matrix, and a picture of it.

matrix   debtor owes creditor, over all kinds; the diagonal is what stays inside a province
sankey   the same, from debtors on the left to creditors on the right, where it is above zero
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.story.cast import PROVINCES
from sandbox.story.record import MonthTold, Shared
from sandbox.story.teller import yuan

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """`owed` is (debtor, creditor) → fen, which what was given back may bring below zero."""

    provinces: Sequence[str]
    owed: Mapping[Pair, int]

    def owed_by(self, debtor: str) -> int:
        return sum(fen for (each, _), fen in self.owed.items() if each == debtor)

    def owed_to(self, creditor: str) -> int:
        return sum(fen for (_, each), fen in self.owed.items() if each == creditor)

    @property
    def total(self) -> int:
        return sum(self.owed.values())


def lines_of(month: MonthTold) -> list[Mapping[str, Any]]:
    """The lines of a month's national statement, then those of the diagonal."""
    return [*month.statement["lines"], *month.statement["diagonal"]]


def matrix_of(months: Iterable[MonthTold]) -> Matrix:
    """All that these months' statements say."""
    owed: Counter[Pair] = Counter()
    for month in months:
        for line in lines_of(month):
            owed[line["debtor"], line["creditor"]] += line["sum_fen"]
    return Matrix(provinces=sorted({each for pair in owed for each in pair}), owed=dict(owed))


def sankey_of(matrix: Matrix) -> dict[str, Any]:
    """Nodes and links. A province stands on both sides, for it may owe and be owed."""
    shown = {pair: fen for pair, fen in matrix.owed.items() if fen > 0}
    debtors = sorted({debtor for debtor, _ in shown})
    creditors = sorted({creditor for _, creditor in shown})
    return {
        "nodes": [
            *(_node("owes", each, matrix.owed_by(each)) for each in debtors),
            *(_node("is owed", each, matrix.owed_to(each)) for each in creditors),
        ],
        "links": [
            {
                "source": f"owes {debtor}",
                "target": f"is owed {creditor}",
                "value": fen,
                "shown": f"{named(debtor)} → {named(creditor)}  ¥{yuan(fen)}",
            }
            for (debtor, creditor), fen in sorted(shown.items())
        ],
    }


def _node(side: str, province: str, fen: int) -> dict[str, str]:
    return {"name": f"{side} {province}", "shown": f"{named(province)}\n¥{yuan(fen)}"}


def relatives_of(shares: Iterable[Shared]) -> dict[str, Any]:
    """People as nodes, their relations as links from the sharer to the beneficiary."""
    found = list(shares)
    people = {each.part.key: each for share in found for each in (share.sharer, share.beneficiary)}
    return {
        "nodes": [
            {"name": key, "shown": f"{each.who}\n{each.part.place.zh}", "family": each.part.family}
            for key, each in people.items()
        ],
        "links": [
            {
                "source": share.sharer.part.key,
                "target": share.beneficiary.part.key,
                "shown": f"{share.kind}  ¥{yuan(share.quota['spent_fen'])}",
            }
            for share in found
        ],
    }


def named(province: str) -> str:
    """440000 → 广东 Guangdong; a province without a part by its number."""
    return " ".join(PROVINCES.get(province, (province,)))
