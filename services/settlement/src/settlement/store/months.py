"""Statements about months: how far they are, what cells told, provinces answered and paid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from kit.transaction import Transaction
from settlement.domain.month import CellCut, Month, Owed, Said, Transferred


async def balanced_of(tx: Transaction, periods: Collection[str]) -> set[str]:
    """Which of these months are balanced or further, and so take no more lines."""
    rows = await tx.fetch(
        "SELECT period FROM period WHERE period = ANY($1::text[]) AND state <> 'cut'",
        list(periods),
    )
    return {row["period"] for row in rows}


async def is_balanced(tx: Transaction, period: str) -> bool:
    """Whether a month is to be issued next."""
    return bool(
        await tx.fetchval(
            "SELECT EXISTS (SELECT FROM period WHERE period = $1 AND state = 'balanced')", period
        )
    )


async def months_of(tx: Transaction, periods: Collection[str]) -> dict[str, Month]:
    """These months, as far as they were cut, with all that belongs to them."""
    asked = sorted(set(periods))
    rows = await tx.fetch("SELECT * FROM period WHERE period = ANY($1::text[])", asked)
    heard = await _heard(tx, asked)
    received = await tx.fetch(
        "SELECT period, cell, lines, amount FROM received WHERE period = ANY($1::text[])", asked
    )
    recipients = await tx.fetch(
        "SELECT period, province FROM recipient WHERE period = ANY($1::text[]) ORDER BY province",
        asked,
    )
    owed = await tx.fetch(
        """
        SELECT period, debtor, creditor, amount FROM owed
        WHERE period = ANY($1::text[]) ORDER BY debtor, creditor
        """,
        asked,
    )
    answers, paid = await _answers(tx, asked), await _paid(tx, asked)
    return {
        row["period"]: Month(
            **row,
            heard=heard[row["period"]],
            received={
                each["cell"]: each["lines"] for each in received if each["period"] == row["period"]
            },
            amount=sum(each["amount"] for each in received if each["period"] == row["period"]),
            recipients=tuple(
                each["province"] for each in recipients if each["period"] == row["period"]
            ),
            answers=answers[row["period"]],
            owed=tuple(
                Owed(debtor=each["debtor"], creditor=each["creditor"], amount=each["amount"])
                for each in owed
                if each["period"] == row["period"]
            ),
            paid=paid[row["period"]],
        )
        for row in rows
    }


async def _heard(tx: Transaction, periods: Sequence[str]) -> dict[str, dict[int, CellCut]]:
    rows = await tx.fetch(
        """
        SELECT period, cell, cut_at, lines, amount, hash::text FROM cell_cut
        WHERE period = ANY($1::text[])
        """,
        periods,
    )
    found: dict[str, dict[int, CellCut]] = defaultdict(dict)
    for row in rows:
        found[row["period"]][row["cell"]] = CellCut(
            cell=row["cell"],
            cut_at=row["cut_at"],
            lines=row["lines"],
            amount=row["amount"],
            hash=int(row["hash"]),
        )
    return found


async def _answers(tx: Transaction, periods: Sequence[str]) -> dict[str, dict[str, Said]]:
    """The last answer of each province."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (period, province) period, province, answer, lines, at FROM answer
        WHERE period = ANY($1::text[])
        ORDER BY period, province, ordinal DESC
        """,
        periods,
    )
    found: dict[str, dict[str, Said]] = defaultdict(dict)
    for row in rows:
        said = Said(answer=row["answer"], lines=row["lines"], at=row["at"])
        found[row["period"]][row["province"]] = said
    return found


async def _paid(tx: Transaction, periods: Sequence[str]) -> dict[str, dict[Transferred, int]]:
    rows = await tx.fetch(
        """
        SELECT period, payer, payee, sum(amount)::bigint AS amount FROM transfer
        WHERE period = ANY($1::text[]) AND tier = 'interprovince'
        GROUP BY period, payer, payee
        """,
        periods,
    )
    found: dict[str, dict[Transferred, int]] = defaultdict(dict)
    for row in rows:
        found[row["period"]][row["payer"], row["payee"]] = row["amount"]
    return found


async def known_answers(tx: Transaction, answer_ids: Collection[UUID]) -> set[UUID]:
    rows = await tx.fetch(
        "SELECT answer_id FROM answer WHERE answer_id = ANY($1::uuid[])", list(answer_ids)
    )
    return {row["answer_id"] for row in rows}


async def known_transfers(tx: Transaction, transfer_ids: Collection[UUID]) -> set[UUID]:
    rows = await tx.fetch(
        "SELECT transfer_id FROM transfer WHERE transfer_id = ANY($1::uuid[])", list(transfer_ids)
    )
    return {row["transfer_id"] for row in rows}
