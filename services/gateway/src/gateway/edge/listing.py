"""`GET /v1/payments`: an institution's payments of a Beijing day.

Which they are says the read model, which may lag; what they are now says the wallet.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator

from contracts import topics
from contracts.lists import PaymentsListed
from contracts.public import Institution
from gateway.edge.endpoint import Asked, Route
from gateway.edge.pages import PageByTime, as_of, cursor_of, place_of
from gateway.edge.routes import SIGNED, SIGNED_REFUSALS
from gateway.edge.wallet import Wallet
from gateway.store.happenings import page_of_payments
from kit.answers import Answer, answer
from kit.postgres import Pool
from kit.reading import reading
from kit.refusal import Invalid
from policy.calendar import beijing_day


def _day(text: object) -> date:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("a day as 2026-11-21")
    return date.fromisoformat(text)


Day = Annotated[date, BeforeValidator(_day)]


class DayPage(PageByTime):
    """Payments by the Beijing day of their `held_at`; today, unless it is said (R33)."""

    date: Day | None = None


class Listing:
    """Lists of institutions."""

    def __init__(self, *, pool: Pool, wallet: Wallet) -> None:
        self._pool = pool
        self._wallet = wallet

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/v1/payments",
                summary="One's own payments of a Beijing day, newest first",
                authentication=SIGNED,
                perform=self.payments,
                answers={200: PaymentsListed},
                query=DayPage,
                refusals=SIGNED_REFUSALS,
                notes=(
                    "`date` is the Beijing day of `held_at`, today unless it is said. A payment "
                    "stands in the list a moment after it was made: what was made before `as_of` "
                    "is there. Each is told as it is now."
                ),
            )
        ]

    async def payments(self, asked: Asked[Institution, None]) -> Answer:
        page: DayPage = asked.query
        day = page.date or beijing_day(datetime.now(UTC))
        before = place_of(page.cursor)
        if page.cursor is not None and beijing_day(before[0]) != day:
            raise Invalid("query: cursor: not one of this list's")
        code = asked.caller.code
        async with reading(self._pool) as tx:
            read = await as_of(tx, topics.PAYMENT)
            places = await page_of_payments(tx, code, day, before, page.limit + 1)
        shown = places[: page.limit]
        found = await self._wallet.payments([payment_id for _, payment_id in shown])
        assert all(each["institution"] == code for each in found), "somebody else's payment"
        more = len(places) > len(shown)
        listed = {
            "items": found,
            "next_cursor": cursor_of(shown[-1]) if more else None,
            "as_of": read,
        }
        return answer(200, listed)
