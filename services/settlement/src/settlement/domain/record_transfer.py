"""The rule of a transfer: what one province owes another is paid, in one part or several (R15).

Only the payer's province says that it paid, and never more than it owes. What is paid frees the
prefund that its lines had used (R16). Transfers inside a province, or to institutions, are kept
and shown; no month waits for them.
"""

from __future__ import annotations

from dataclasses import replace

from kit.refusal import Invalid, NotFound, Refusal, WrongState
from settlement.domain.books import Books
from settlement.domain.commands import RecordTransfer
from settlement.domain.decisions import TAKEN, Decision, refused
from settlement.domain.month import Month, Transferred, told
from settlement.domain.prefund import Pair


def record_transfer(books: Books, command: RecordTransfer) -> Decision:
    month = books.months.get(command.period)
    if month is None or command.version != month.version:
        return refused(NotFound("no such statement was issued"))
    if command.transfer_id in books.known:
        return Decision(answer=TAKEN)
    refusal = _uncountable(month, command)
    if refusal is not None:
        return refused(refusal)

    # From here on the transfer is taken.
    books.known.add(command.transfer_id)
    if command.tier != "interprovince":
        return Decision(answer=TAKEN, transfer=command)
    transfer = (command.payer, command.payee)
    paid = month.paid.get(transfer, 0) + command.amount
    after = replace(month, paid={**month.paid, transfer: paid}).moved_on(books.now)
    books.put(after)
    return Decision(
        answer=TAKEN,
        transfer=command,
        used=freed(month, transfer, command.amount),
        events=told(month, after, books.now),
    )


def _uncountable(month: Month, command: RecordTransfer) -> Refusal | None:
    if command.amount == 0:
        return Invalid("nothing was paid")
    if command.tier != "interprovince":
        return None
    if command.payer != command.province:
        return NotFound("only who pays says so")
    left = month.left_to_pay((command.payer, command.payee))
    return WrongState(f"{left} fen are still owed") if command.amount > left else None


def freed(month: Month, transfer: Transferred, amount: int) -> dict[Pair, int]:
    """What prefunds are used less by: as debtor a province pays first, as creditor it gives back.

    Fen below 0; above 0 for what is given back, which had counted as free.
    """
    paid = month.paid.get(transfer, 0)
    found: dict[Pair, int] = {}
    for owed in sorted(month.owed, key=lambda owed: -owed.amount):
        if owed.transfer != transfer:
            continue
        before = min(paid, abs(owed.amount))
        now = min(amount, abs(owed.amount) - before)
        paid, amount = paid - before, amount - now
        if now:
            found[owed.debtor, owed.creditor] = -now if owed.amount > 0 else now
    assert amount == 0, "never more than is owed"
    return found
