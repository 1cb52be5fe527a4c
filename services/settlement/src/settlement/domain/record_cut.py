"""The rule of a cell's cut: what the wallet told that a month adds up to, once a cell.

The first cell's begins the month here; it is balanced only when all cells were heard.
"""

from __future__ import annotations

from dataclasses import replace

from contracts.events import PeriodCut
from settlement.domain.books import Books
from settlement.domain.decisions import TAKEN, Decision
from settlement.domain.line import BELOW
from settlement.domain.month import CellCut, Month, told


class CutDiffers(Exception):
    """A cell told of its month before, and something else; or there are other cells. An alarm."""


def record_cut(books: Books, cut: PeriodCut) -> Decision:
    """Take a cell's totals. Raises CutDiffers, which parks the record."""
    if cut.cell >= cut.cells:
        raise CutDiffers(cut.period, cut.cell, cut.cells)
    cell = CellCut(
        cell=cut.cell,
        cut_at=cut.cut_at,
        lines=sum(total.count for total in cut.lines),
        amount=sum(total.sum_fen for total in cut.lines),
        hash=sum(int(total.hash, 16) for total in cut.lines) % BELOW,
    )
    before = books.months.get(cut.period)
    if before is not None and before.cells != cut.cells:
        raise CutDiffers(cut.period, cut.cell, cut.cells)
    if before is not None and cut.cell in before.heard:
        if before.heard[cut.cell] != cell:
            raise CutDiffers(cut.period, cut.cell)
        return Decision(answer=TAKEN)

    # From here on the cell is heard.
    begun = before or Month(period=cut.period, state="cut", cells=cut.cells, cut_at=cut.cut_at)
    after = replace(
        begun,
        cut_at=max(begun.cut_at, cut.cut_at),
        heard={**begun.heard, cut.cell: cell},
    )
    books.put(after)
    return Decision(answer=TAKEN, cut=cut, events=told(before, after, books.now))
