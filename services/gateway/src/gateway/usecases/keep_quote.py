"""Keep a quote: what the wallet said a payment would be gets an id that a payment may name.

No lock waits for the wallet: it was asked before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.public import Quote, Quoted
from gateway.domain.decisions import Decision, answered
from gateway.domain.quotes import GivenQuote
from gateway.store.quotes import insert_quotes
from kit.answers import Answer
from kit.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepQuote:
    """What the wallet quoted an institution for this person; `asked` is purpose and bill."""

    institution: str
    person_id: UUID
    asked: bytes
    quoted: Quoted


KeepsQuotes = Callable[[Transaction, Sequence[KeepQuote], datetime], Awaitable[list[Decision]]]


def keeping_quotes(lifetime: timedelta) -> KeepsQuotes:
    """The use case, with the lifetime of its quotes."""

    async def keep_quote(
        tx: Transaction, commands: Sequence[KeepQuote], now: datetime
    ) -> list[Decision]:
        given = [_given(tx, command, now + lifetime) for command in commands]

        await insert_quotes(tx, given)
        return [
            answered(_answer(quote, command.quoted))
            for quote, command in zip(given, commands, strict=True)
        ]

    return keep_quote


def _given(tx: Transaction, command: KeepQuote, expires_at: datetime) -> GivenQuote:
    return GivenQuote(
        quote_id=tx.new_id(),
        institution=command.institution,
        person_id=command.person_id,
        asked=command.asked,
        expires_at=expires_at,
    )


def _answer(given: GivenQuote, quoted: Quoted) -> Answer:
    quote = Quote(
        quote_id=given.quote_id,
        expires_at=given.expires_at,
        personal_burden_fen=quoted.personal_burden_fen,
        own_account_fen=quoted.own_account_fen,
        mutual_aid_fen=quoted.mutual_aid_fen,
        cash_fen=quoted.cash_fen,
        allocations=quoted.allocations,
    )
    return Answer(status=200, body=quote.model_dump_json())
