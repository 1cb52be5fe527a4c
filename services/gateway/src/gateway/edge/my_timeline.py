"""`GET /v1/me/timeline`: what happened to one's relations, quotas and payments, as was told.

A sharer sees what was given and on which day, never what was bought or where.
"""

from __future__ import annotations

import asyncpg

from contracts import topics
from contracts.lists import Timeline, TimelineItem
from gateway.edge.endpoint import Asked, Route
from gateway.edge.pages import PageByTime, as_of, cursor_of, place_of
from gateway.edge.relations import Relations
from gateway.edge.routes import BEARER, CITIZEN_REFUSALS, person_of
from gateway.edge.tokens import Citizen
from gateway.store.happenings import page_of_timeline
from kit.answers import Answer, answer
from kit.postgres import Pool
from kit.reading import reading


class MyTimeline:
    """What a citizen may look back on."""

    def __init__(self, *, pool: Pool, relations: Relations) -> None:
        self._pool = pool
        self._relations = relations

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/v1/me/timeline",
                summary="What happened to one's relations, quotas and payments, newest first",
                authentication=BEARER,
                perform=self.read,
                answers={200: Timeline},
                query=PageByTime,
                refusals=CITIZEN_REFUSALS,
                notes=(
                    "`type` is the event without its version, `state` what the thing became by "
                    "it. Of a payment from a quota one has given there are only `type`, "
                    "`amount_fen` and as `at` the Beijing day. What happened before `as_of` is "
                    "there."
                ),
            )
        ]

    async def read(self, asked: Asked[Citizen, None]) -> Answer:
        page: PageByTime = asked.query
        before = place_of(page.cursor)
        person = await person_of(self._relations, asked)
        async with reading(self._pool) as tx:
            read = await as_of(tx, topics.RELATION, topics.QUOTA, topics.PAYMENT)
            rows = await page_of_timeline(tx, person.person_id, before, page.limit + 1)
        shown = rows[: page.limit]
        more = len(rows) > len(shown)
        timeline = Timeline(
            items=tuple(_item(row) for row in shown),
            next_cursor=cursor_of((shown[-1]["at"], shown[-1]["event_id"])) if more else None,
            as_of=read,
        )
        # What an item does not have it does not name; the end of a list is named.
        items = [item.model_dump(mode="json", exclude_none=True) for item in timeline.items]
        told = timeline.model_dump(mode="json") | {"items": items}
        return answer(200, told)


def _item(row: asyncpg.Record) -> TimelineItem:
    return TimelineItem(
        type=row["type"],
        at=row["on_day"] or row["at"],
        relation_id=row["relation_id"],
        quota_id=row["quota_id"],
        payment_id=row["payment_id"],
        state=row["state"],
        amount_fen=row["amount"],
    )
