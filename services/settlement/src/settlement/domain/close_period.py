"""The rule of closing: a month that is paid is closed; what is found later falls into another."""

from __future__ import annotations

from contracts import events, topics
from kit.refusal import NotFound, WrongState
from settlement.domain.books import Books
from settlement.domain.commands import ClosePeriod
from settlement.domain.decisions import Decision, refused
from settlement.domain.month import told
from settlement.domain.views import period_answer


def close_period(books: Books, command: ClosePeriod) -> Decision:
    month = books.months.get(command.period)
    if month is None:
        return refused(NotFound())
    if month.state == "closed":
        return Decision(answer=period_answer(month))
    if month.state != "paid":
        return refused(WrongState(f"the month is {month.state}, it has to be paid"))

    # From here on the month is closed.
    assert month.version is not None
    assert month.all_paid
    after = month.became("closed", books.now)
    books.put(after)
    body = events.ClearingClosed(period=month.period, version=month.version)
    sent = tuple(
        events.event(topics.to_province(province), month.period, f"{month.period}/{province}", body)
        for province in month.recipients
    )
    return Decision(answer=period_answer(after), events=(*sent, *told(month, after, books.now)))
