"""The rule of a one-step payment.

available --amount--> spent        of each sharer in order, until the amount is reached
"""

from __future__ import annotations

from contracts.commands import Pay
from contracts.vocabulary import Book
from kit.refusal import Refusal
from wallet.domain import facts
from wallet.domain.books import Books, Entry
from wallet.domain.charge import OpenAreas, allocated, payment_of, unpayable
from wallet.domain.decisions import Decision, refused
from wallet.domain.orders import debits
from wallet.domain.views import payment_answer


def pay(books: Books, command: Pay, areas: OpenAreas) -> Decision:
    """Pay at once from the beneficiary's quotas, or refuse by name and change nothing."""
    refusal = unpayable(books, command, areas)
    if refusal is not None:
        return refused(refusal)
    allocations = allocated(books, command, areas)
    if isinstance(allocations, Refusal):
        return refused(allocations)

    # From here on the payment happens.
    payment = payment_of(books, command, allocations, captured=True)
    entries = tuple(
        [
            Entry(
                quota_id=allocation.quota_id,
                source=Book.AVAILABLE,
                target=Book.SPENT,
                amount=allocation.amount,
                payment_id=payment.payment_id,
                period=payment.period,
            )
            for allocation in allocations
        ]
    )
    books.post(entries)
    orders, ordered = debits(books, payment, allocations)
    return Decision(
        answer=payment_answer(201, payment),
        payment=payment,
        entries=entries,
        orders=orders,
        events=(facts.captured(books, payment), *ordered),
    )
