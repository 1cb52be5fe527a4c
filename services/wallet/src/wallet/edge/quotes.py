"""`POST /internal/quotes`: what a payment would be now; reads without a lock, writes nothing."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from contracts.commands import Quote
from contracts.internal import GivenAnswer
from kit.answers import Answer, problem
from kit.http import respond, service_token
from kit.json_body import described, read_body
from kit.refusal import Refusal
from policy.policy import Policy
from wallet.domain.quote import quote
from wallet.edge.cells import Cells
from wallet.store.opening import open_books
from wallet.store.reading import clock


def quoting(cells: Cells, policy: Policy, token: str) -> APIRouter:
    router = APIRouter(prefix="/internal", dependencies=[Depends(service_token(token))])

    @router.post("/quotes", response_model=GivenAnswer, openapi_extra=described(Quote))
    async def answer_quote(request: Request) -> Response:
        """What each sharer would give, or the refusal that a payment would get."""
        wanted = await read_body(request, Quote)
        person = wanted.person_id
        async with cells.reading(cells.of_person(person)) as tx:
            now = await clock(tx)
            books = await open_books(tx, now, policy, persons=[person], beneficiaries=[person])
        decided = quote(books, wanted, policy)
        given = problem(decided, wanted.instance) if isinstance(decided, Refusal) else decided
        told = GivenAnswer(
            status=given.status, body=given.body, replayed=False, retry_after=given.retry_after
        )
        return respond(Answer(status=200, body=told.model_dump_json()))

    return router
