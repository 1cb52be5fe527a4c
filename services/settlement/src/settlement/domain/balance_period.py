"""The rule of balance: a month is balanced when all cells' totals equal what was received (I9).

Which totals differ is read before the lock, for that may take long; here is only made sure that no
line came meanwhile.
"""

from __future__ import annotations

from kit.refusal import NotFound, WrongState
from settlement.domain.books import Books
from settlement.domain.commands import BalancePeriod
from settlement.domain.decisions import TAKEN, Decision, refused
from settlement.domain.month import told


def balance_period(books: Books, command: BalancePeriod) -> Decision:
    month = books.months.get(command.period)
    if month is None:
        return refused(NotFound())
    if month.has_reached("balanced"):
        return Decision(answer=TAKEN)
    if len(month.heard) < month.cells or dict(month.received) != dict(command.compared):
        return refused(WrongState("the month was still being heard"))

    # From here on the month takes no more lines.
    assert month.lines == sum(cell.lines for cell in month.heard.values())
    after = month.became("balanced", books.now)
    books.put(after)
    return Decision(answer=TAKEN, events=told(month, after, books.now))
