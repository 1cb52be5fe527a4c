"""A month as a clerk sees it on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.table import Table

from contracts.clearing import Period
from policy.calendar import BEIJING
from settlement.store.lines import Adjustment
from settlement.store.transfers import OtherTransfer


def month_tables(month: Period, others: Sequence[OtherTransfer]) -> Iterator[Table]:
    """How far it is; wherein it differs; who answered what; who paid whom."""
    yield _steps(month)
    if month.differences:
        yield _differences(month)
    if month.answers:
        yield _answers(month)
    if month.transfers:
        yield _transfers(month)
    if others:
        yield _others(others)


def _steps(month: Period) -> Table:
    table = Table(title=f"{month.period} · {month.state}", show_header=False)
    rows = {
        "lines 明细笔数": _number(month.count),
        "owed 应付净额 (yuan 元)": yuan(month.sum_fen or 0),
        "cells heard 已收单元": f"{month.cells_heard} / {month.cells}",
        "cut 切账": _when(month.cut_at),
        "balanced 平账": _when(month.balanced_at),
        "issued 下发": _when(month.issued_at),
        "confirmed 确认": _when(month.confirmed_at),
        "paid 拨付": _when(month.paid_at),
        "closed 关账": _when(month.closed_at),
        "version 版本": _number(month.version),
        "digest 摘要": month.digest or "",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _differences(month: Period) -> Table:
    table = Table(
        *("cell 单元", "debtor 应付", "creditor 应收", "kind 类别", "what 差异"),
        *("lines 笔数", "yuan 元", "named 涉及明细"),
        title="theirs less ours 钱包减清算",
    )
    for each in month.differences:
        table.add_row(
            *(str(each.cell), each.debtor, each.creditor, each.kind, each.what),
            *(str(each.count), yuan(each.sum_fen), "\n".join(each.named)),
        )
    return table


def _answers(month: Period) -> Table:
    table = Table("province 省级", "answer 答复", "at 时间", title="answers 省级答复")
    for each in month.answers:
        table.add_row(each.province, each.answer or "waiting 待答复", _when(each.at))
    return table


def _transfers(month: Period) -> Table:
    table = Table(
        *("payer 付方", "payee 收方", "owed 应付", "paid 已付", "left 未付"),
        title="transfers between provinces 省间拨付 (yuan 元)",
    )
    for each in month.transfers:
        left = each.amount_fen - each.paid_fen
        table.add_row(
            each.payer, each.payee, yuan(each.amount_fen), yuan(each.paid_fen), yuan(left)
        )
    return table


def _others(others: Sequence[OtherTransfer]) -> Table:
    table = Table(
        *("tier 层级", "told by 报送省", "payer 付方", "payee 收方", "paid 已付"),
        title="other transfers 其他拨付 (yuan 元)",
    )
    for each in others:
        table.add_row(each.tier, each.province, each.payer, each.payee, yuan(each.amount))
    return table


def adjustments_table(month: str, found: Sequence[Adjustment]) -> Table:
    """Each line that a month has of an earlier one's payment, with what was owed for that (R22)."""
    table = Table(
        *("at 时间", "line 明细", "payment 原支付", "of 原月份", "debtor 应付", "creditor 应收"),
        *("kind 类别", "original 原额", "adjusted 冲销"),
        title=f"{month} · adjustments 跨月冲销 (yuan 元)",
    )
    for each in found:
        table.add_row(
            *(_when(each.happened_at), str(each.cause_id), str(each.payment_id)),
            *(each.captured_period, each.debtor, each.creditor, each.kind),
            *(yuan(each.original_amount), yuan(each.amount)),
        )
    return table


def yuan(fen: int) -> str:
    """Whole fen as yuan: -105 is -1.05."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02}"


def _number(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _when(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
