"""`POST /internal/periods/cut` and `/find`: the wallet's part of a month's life."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from contracts.internal import GivenAnswer, PeriodAsked
from kit.answers import Answer, problem
from kit.http import respond, service_token
from kit.json_body import described, read_body
from kit.refusal import Refusal
from wallet.edge.months import Months


def periods(months: Months, token: str) -> APIRouter:
    router = APIRouter(prefix="/internal", dependencies=[Depends(service_token(token))])

    @router.post("/periods/cut", response_model=GivenAnswer, openapi_extra=described(PeriodAsked))
    async def cut_period(request: Request) -> Response:
        """Cut a month: 200 with the Period also where it was cut before, 409 out of order."""
        asked = await read_body(request, PeriodAsked)
        try:
            return _told(await months.cut(asked.period, asked.instance))
        except Refusal as refusal:
            return _told(problem(refusal, asked.instance))

    @router.post("/periods/find", response_model=GivenAnswer, openapi_extra=described(PeriodAsked))
    async def find_period(request: Request) -> Response:
        """A month that is open or was cut; what became of it afterwards settlement knows."""
        asked = await read_body(request, PeriodAsked)
        try:
            found = await months.find(asked.period)
        except Refusal as refusal:
            return _told(problem(refusal, asked.instance))
        return _told(Answer(status=200, body=found.model_dump_json()))

    return router


def _told(given: Answer) -> Response:
    told = GivenAnswer(
        status=given.status, body=given.body, replayed=False, retry_after=given.retry_after
    )
    return respond(Answer(status=200, body=told.model_dump_json()))
