"""The rule of issuing: each province is sent what it owes, is owed and has inside itself (R15).

A month in which nothing crosses a province's border needs nobody's answer and no transfer.
"""

from __future__ import annotations

from dataclasses import replace

from contracts import events, topics
from contracts.events import InsideLine, IssuedLine
from kit.refusal import NotFound, Unavailable, WrongState
from kit.work import Event
from settlement.domain.books import Books
from settlement.domain.commands import IssueStatements
from settlement.domain.decisions import Decision, refused
from settlement.domain.month import Month, Owed, told
from settlement.domain.statement import Statements
from settlement.domain.views import period_answer

VERSION = 1


def issue_statements(books: Books, command: IssueStatements) -> Decision:
    month = books.months.get(command.period)
    if month is None:
        return refused(NotFound())
    if month.has_reached("issued"):
        return Decision(answer=period_answer(month))
    if month.state != "balanced":
        return refused(WrongState(f"the month is {month.state}, it has to be balanced"))
    statements = command.statements
    if statements is None:
        return refused(Unavailable("the month was balanced only now"))

    # From here on the statements are issued, and never change.
    assert statements.lines == month.lines, "a balanced month takes no more lines"
    issued = replace(
        month.became("issued", books.now),
        version=VERSION,
        digest=statements.digest,
        recipients=statements.recipients,
        owed=tuple(
            Owed(debtor=pair[0], creditor=pair[1], amount=amount)
            for pair, amount in statements.owed().items()
        ),
    )
    after = issued if statements.is_national else _nobody_asked(issued, books)
    books.put(after)
    sent = tuple(_issued(statements, issued, province) for province in issued.recipients)
    return Decision(
        answer=period_answer(after),
        issued=issued,
        events=(*sent, *told(month, after, books.now)),
    )


def _nobody_asked(issued: Month, books: Books) -> Month:
    return issued.became("confirmed", books.now).became("paid", books.now)


def _issued(statements: Statements, month: Month, province: str) -> Event:
    lines = tuple(
        IssuedLine(
            counterpart=row.creditor if row.debtor == province else row.debtor,
            kind=row.kind,
            direction="pays" if row.debtor == province else "receives",
            count=row.lines,
            sum_fen=row.amount,
        )
        for row in statements.national
        if not row.is_inside and province in (row.debtor, row.creditor)
    )
    inside = tuple(
        InsideLine(
            debtor=each.row.debtor,
            creditor=each.row.creditor,
            kind=each.row.kind,
            count=each.row.lines,
            sum_fen=each.row.amount,
        )
        for each in statements.inside
        if each.province == province
    )
    assert month.digest is not None
    body = events.ClearingIssued(
        period=month.period, version=VERSION, digest=month.digest, lines=lines, inside=inside
    )
    # Of one command the provinces' statements differ in their subject.
    subject = f"{month.period}/{province}"
    return events.event(topics.to_province(province), month.period, subject, body)
