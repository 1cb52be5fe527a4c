"""The lines of a batch, folded: each total, month and prefund is then written once (decision 7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from settlement.domain.line import Line, line_hash
from settlement.domain.prefund import Pair


class TotalKey(NamedTuple):
    """What a total is of. Nobody is shown the cell: by it totals are compared with the wallet's."""

    period: str
    debtor: str
    creditor: str
    kind: str
    institution: str
    cell: int


@dataclass(slots=True)
class Sums:
    """Lines, fen and hashes added up, and the lines and fen of the adjusting ones among them."""

    debtor_province: str
    creditor_province: str
    lines: int = 0
    amount: int = 0
    hash: int = 0
    adjusting_lines: int = 0
    adjusting_amount: int = 0


@dataclass(slots=True)
class Received:
    """The same of a month and cell."""

    lines: int = 0
    amount: int = 0
    hash: int = 0


def folded(lines: Iterable[Line]) -> dict[TotalKey, Sums]:
    """What these lines add to each total."""
    found: dict[TotalKey, Sums] = {}
    for line in lines:
        key = TotalKey(
            line.period, line.debtor, line.creditor, line.kind, line.institution, line.cell
        )
        sums = found.get(key)
        if sums is None:
            sums = found[key] = Sums(line.debtor_province, line.creditor_province)
        sums.lines += 1
        sums.amount += line.amount
        sums.hash += line_hash(line.cause_id, line.quota_id, line.amount)
        if line.captured_period < line.period:
            sums.adjusting_lines += 1
            sums.adjusting_amount += line.amount
    return found


def received(totals: Mapping[TotalKey, Sums]) -> dict[tuple[str, int], Received]:
    """What they add to each month and cell."""
    found: dict[tuple[str, int], Received] = defaultdict(Received)
    for key, sums in totals.items():
        into = found[key.period, key.cell]
        into.lines += sums.lines
        into.amount += sums.amount
        into.hash += sums.hash
    return found


def used(totals: Mapping[TotalKey, Sums]) -> dict[Pair, int]:
    """How much of each prefund they use, in fen; the diagonal has none (R15, R16)."""
    found: dict[Pair, int] = defaultdict(int)
    for sums in totals.values():
        if sums.debtor_province != sums.creditor_province:
            found[sums.debtor_province, sums.creditor_province] += sums.amount
    return found
