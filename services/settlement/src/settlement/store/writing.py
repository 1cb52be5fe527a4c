"""Writing what was decided of months: one statement a table, for all use cases."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.vocabulary import PeriodState
from kit.transaction import Transaction
from settlement.domain.books import Books
from settlement.domain.commands import RecordAnswer, RecordTopUp, RecordTransfer
from settlement.domain.decisions import Decision
from settlement.domain.month import CellCut, Month


async def write(tx: Transaction, decisions: Sequence[Decision], books: Books) -> None:
    """Write the rows of a batch of decisions. Nothing can be refused any more."""
    await _insert_months(tx, books.begun())
    await _update_months(tx, books.changed())
    await _insert_cuts(tx, decisions, books)
    await _insert_issued(tx, [given.issued for given in decisions if given.issued is not None])
    await _insert_answers(tx, [given.said for given in decisions if given.said], books)
    await _insert_transfers(tx, [given.transfer for given in decisions if given.transfer], books)
    await _insert_top_ups(tx, [given.top_up for given in decisions if given.top_up], books)


async def _insert_months(tx: Transaction, months: Sequence[Month]) -> None:
    if months:
        await tx.insert(
            "period",
            ("period", "state", "cells", "cut_at"),
            [(month.period, month.state, month.cells, month.cut_at) for month in months],
        )


async def _update_months(tx: Transaction, changed: Sequence[tuple[PeriodState, Month]]) -> None:
    """Months go on from the state they were read in; nobody else may have moved them."""
    if not changed:
        return
    months = [month for _, month in changed]
    await tx.write(
        """
        UPDATE period SET
            state = became.state, cut_at = became.cut_at, balanced_at = became.balanced_at,
            issued_at = became.issued_at, confirmed_at = became.confirmed_at,
            paid_at = became.paid_at, closed_at = became.closed_at,
            version = became.version, digest = became.digest
        FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],
            $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::timestamptz[],
            $10::integer[], $11::text[]
        ) AS became (
            period, before, state, cut_at, balanced_at, issued_at, confirmed_at, paid_at,
            closed_at, version, digest
        )
        WHERE period.period = became.period AND period.state = became.before
        """,
        [month.period for month in months],
        [before for before, _ in changed],
        [month.state for month in months],
        [month.cut_at for month in months],
        [month.balanced_at for month in months],
        [month.issued_at for month in months],
        [month.confirmed_at for month in months],
        [month.paid_at for month in months],
        [month.closed_at for month in months],
        [month.version for month in months],
        [month.digest for month in months],
        rows=len(months),
    )


async def _insert_cuts(tx: Transaction, decisions: Sequence[Decision], books: Books) -> None:
    cuts = [given.cut for given in decisions if given.cut is not None]
    if not cuts:
        return
    heard: list[tuple[str, CellCut]] = [
        (cut.period, books.months[cut.period].heard[cut.cell]) for cut in cuts
    ]
    await tx.write(
        """
        INSERT INTO cell_cut (period, cell, cut_at, lines, amount, hash, recorded_at)
        SELECT period, cell, cut_at, lines, amount, hash::numeric, $7
        FROM unnest(
            $1::text[], $2::integer[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::text[]
        ) AS heard (period, cell, cut_at, lines, amount, hash)
        """,
        [period for period, _ in heard],
        [cell.cell for _, cell in heard],
        [cell.cut_at for _, cell in heard],
        [cell.lines for _, cell in heard],
        [cell.amount for _, cell in heard],
        [str(cell.hash) for _, cell in heard],
        books.now,
        rows=len(heard),
    )
    totals = [(cut.period, cut.cell, total) for cut in cuts for total in cut.lines]
    await tx.write(
        """
        INSERT INTO cell_total (period, cell, debtor, creditor, kind, lines, amount, hash)
        SELECT period, cell, debtor, creditor, kind, lines, amount, hash::numeric
        FROM unnest(
            $1::text[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::bigint[],
            $7::bigint[], $8::text[]
        ) AS told (period, cell, debtor, creditor, kind, lines, amount, hash)
        """,
        [period for period, _, _ in totals],
        [cell for _, cell, _ in totals],
        [total.debtor for _, _, total in totals],
        [total.creditor for _, _, total in totals],
        [total.kind for _, _, total in totals],
        [total.count for _, _, total in totals],
        [total.sum_fen for _, _, total in totals],
        [str(int(total.hash, 16)) for _, _, total in totals],
        rows=len(totals),
    )


async def _insert_issued(tx: Transaction, months: Sequence[Month]) -> None:
    if not months:
        return
    await tx.insert(
        "recipient",
        ("period", "version", "province"),
        [
            (month.period, month.version, province)
            for month in months
            for province in month.recipients
        ],
    )
    await tx.insert(
        "owed",
        ("period", "version", "debtor", "creditor", "amount"),
        [
            (month.period, month.version, owed.debtor, owed.creditor, owed.amount)
            for month in months
            for owed in month.owed
        ],
    )


async def _insert_answers(tx: Transaction, answers: Sequence[RecordAnswer], books: Books) -> None:
    if answers:
        await tx.insert(
            "answer",
            ("answer_id", "period", "version", "province", "answer", "lines", "at"),
            [
                (
                    *(said.answer_id, said.period, said.version, said.province),
                    *(said.answer, said.lines, books.now),
                )
                for said in answers
            ],
        )


async def _insert_transfers(
    tx: Transaction, transfers: Sequence[RecordTransfer], books: Books
) -> None:
    if transfers:
        await tx.insert(
            "transfer",
            (
                *("transfer_id", "period", "version", "tier", "payer", "payee"),
                *("amount", "paid_on", "province", "at"),
            ),
            [
                (
                    *(paid.transfer_id, paid.period, paid.version, paid.tier, paid.payer),
                    *(paid.payee, paid.amount, paid.paid_on, paid.province, books.now),
                )
                for paid in transfers
            ],
        )


async def _insert_top_ups(tx: Transaction, top_ups: Sequence[RecordTopUp], books: Books) -> None:
    if top_ups:
        await tx.insert(
            "top_up",
            ("top_up_id", "debtor", "creditor", "amount", "at"),
            [
                (each.top_up_id, each.debtor, each.creditor, each.amount, books.now)
                for each in top_ups
            ],
        )
