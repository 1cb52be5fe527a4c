"""`GET /internal/history/{name}`: what settlement knows of payments, for explanations."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from contracts.deciding import id_in
from contracts.internal import History
from contracts.vocabulary import IdempotencyKey
from kit.answers import Answer
from kit.http import respond, service_token
from settlement.domain.history import LineKnown, steps_of_lines, steps_of_months
from settlement.edge.room import Room
from settlement.store.history import lines_of, months_known

MOST_STEPS = 500
MOST_ALSO = 200


def history(room: Room, token: str) -> APIRouter:
    router = APIRouter(prefix="/internal", dependencies=[Depends(service_token(token))])

    @router.get("/history/{name:path}", response_model=History)
    async def read_history(
        name: IdempotencyKey,
        also: Annotated[list[UUID], Query(max_length=MOST_ALSO)] = [],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """The lines of a payment or an opposite row, and of `also`, with their months, in fen.

        Nothing known is an empty history: lines come over Kafka and may lag.
        """
        own = id_in(name)
        causes = {*also, *([] if own is None else [own])}
        async with room.reading() as tx:
            lines = await lines_of(tx, causes, MOST_STEPS)
            by_month: dict[str, list[LineKnown]] = defaultdict(list)
            for line in lines:
                by_month[line.period].append(line)
            months = await months_known(tx, by_month.keys())
        found = History(
            steps=(*steps_of_lines(lines), *steps_of_months(months, by_month)),
            is_whole=len(lines) < MOST_STEPS,
        )
        return respond(Answer(status=200, body=found.model_dump_json()))

    return router
