"""Months, statements and prefunds as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts import clearing
from contracts.vocabulary import Tier
from kit.answers import Answer
from settlement.domain.month import Month
from settlement.domain.prefund import Prefund
from settlement.domain.statement import Row, net, totals


def period_answer(month: Month, differences: Sequence[clearing.Difference] = ()) -> Answer:
    return Answer(status=200, body=period_view(month, differences).model_dump_json())


def period_view(month: Month, differences: Sequence[clearing.Difference] = ()) -> clearing.Period:
    return clearing.Period(
        period=month.period,
        state=month.state,
        cut_at=month.cut_at,
        balanced_at=month.balanced_at,
        issued_at=month.issued_at,
        confirmed_at=month.confirmed_at,
        paid_at=month.paid_at,
        closed_at=month.closed_at,
        version=month.version,
        digest=month.digest,
        cells=month.cells,
        cells_heard=len(month.heard),
        count=month.lines,
        sum_fen=month.amount,
        differences=tuple(differences),
        answers=tuple(
            clearing.ProvinceAnswer(
                province=province,
                answer=said.answer if said is not None else None,
                at=said.at if said is not None else None,
            )
            for province in month.recipients
            for said in (month.answers.get(province),)
        ),
        transfers=tuple(
            clearing.Transfer(
                payer=transfer[0],
                payee=transfer[1],
                amount_fen=amount,
                paid_fen=month.paid.get(transfer, 0),
            )
            for transfer, amount in month.transfers.items()
        ),
    )


def statement_view(month: Month, tier: Tier, rows: Sequence[Row]) -> clearing.Statement:
    """A tier's statement. Of the nation what stays inside a province is no part of the lines."""
    assert month.version is not None
    assert month.digest is not None
    national = tier == "national"
    lines = [row for row in rows if not (national and row.is_inside)]
    return clearing.Statement(
        period=month.period,
        tier=tier,
        version=month.version,
        digest=month.digest,
        lines=tuple(map(_line, lines)),
        totals=totals(lines),
        net=net(lines) if national else (),
        diagonal=tuple(_line(row) for row in rows if row.is_inside) if national else (),
    )


def _line(row: Row) -> clearing.StatementLine:
    return clearing.StatementLine(
        debtor=row.debtor,
        creditor=row.creditor,
        kind=row.kind,
        count=row.lines,
        sum_fen=row.amount,
        adjustments_count=row.adjusting_lines,
        adjustments_fen=row.adjusting_amount,
    )


def prefunds_view(
    prefunds: Sequence[Prefund], limit: int, now: datetime
) -> clearing.PrefundsListed:
    """A page of at most `limit`, of one more that was looked for."""
    page = prefunds[:limit]
    return clearing.PrefundsListed(
        items=tuple(
            clearing.Prefund(
                debtor=each.debtor,
                creditor=each.creditor,
                amount_fen=each.deposited,
                used_fen=each.used,
                ratio_percent=each.ratio_percent,
                level=each.level,
            )
            for each in page
        ),
        next_cursor="-".join(page[-1].pair) if len(prefunds) > limit else None,
        as_of=now,
    )
