"""What a rule decided: an answer for the caller, rows to write and facts to tell."""

from __future__ import annotations

from dataclasses import dataclass

from kit.answers import Answer, answer
from kit.refusal import Refusal
from kit.work import Event
from wallet.domain.books import Entry, Wallet
from wallet.domain.orders import AccountOrder
from wallet.domain.original import Reversed
from wallet.domain.payment import Payment, Refund


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one command. A refused one carries its refusal and nothing else.

    `payment` is a new one; what became of others, and of quotas, is in the books.
    """

    answer: Answer | Refusal
    events: tuple[Event, ...] = ()
    entries: tuple[Entry, ...] = ()
    payment: Payment | None = None
    refund: Refund | None = None
    undone: Reversed | None = None
    orders: tuple[AccountOrder, ...] = ()
    answered: AccountOrder | None = None
    asked: AccountOrder | None = None
    wallet: Wallet | None = None

    def __post_init__(self) -> None:
        if isinstance(self.answer, Refusal):
            written = (self.events, self.entries, self.payment, self.orders, self.answered)
            assert not any(written), "a refusal changes nothing"
            assert self.wallet is None
            assert self.refund is None
            assert self.undone is None
            assert self.asked is None


def refused(refusal: Refusal) -> Decision:
    return Decision(answer=refusal)


NOTHING_NEW = Decision(answer=answer(200, {}))
"""The fact was known: nothing to write and nothing to tell."""
