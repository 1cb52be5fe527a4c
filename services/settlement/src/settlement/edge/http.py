"""Settlement over HTTP, for the gateway: months and their steps, statements, prefunds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from contracts.internal import GivenAnswer, PeriodAsked, PrefundsAsked, StatementAsked
from kit.answers import Answer, problem
from kit.http import respond, service_token
from kit.json_body import described, read_body
from kit.refusal import Invalid, NotFound, Refusal, Unavailable, WrongState
from policy.areas import UnknownArea
from settlement.domain.views import prefunds_view, statement_view
from settlement.edge.room import Room
from settlement.store.clock import clock
from settlement.store.months import months_of
from settlement.store.prefunds import prefunds_after
from settlement.store.statements import rows_of


def routes(room: Room, token: str) -> APIRouter:
    router = APIRouter(prefix="/internal", dependencies=[Depends(service_token(token))])

    @router.post("/periods/find", response_model=GivenAnswer, openapi_extra=described(PeriodAsked))
    async def find_period(request: Request) -> Response:
        """A month as it is; 404 before a cell of the wallet told that it was cut."""
        asked = await read_body(request, PeriodAsked)
        found = await room.find(asked.period)
        if found is None:
            return given(problem(NotFound("the month was not cut"), asked.instance))
        return given(Answer(status=200, body=found.model_dump_json()))

    @router.post("/periods/issue", response_model=GivenAnswer, openapi_extra=described(PeriodAsked))
    async def issue_period(request: Request) -> Response:
        """Send each province its statement of a balanced month; the month as it is then."""
        return await stepped(request, room.issue)

    @router.post("/periods/close", response_model=GivenAnswer, openapi_extra=described(PeriodAsked))
    async def close_period(request: Request) -> Response:
        """Close a month that is paid; the month as it is then."""
        return await stepped(request, room.close)

    @router.post(
        "/statements/find", response_model=GivenAnswer, openapi_extra=described(StatementAsked)
    )
    async def find_statement(request: Request) -> Response:
        """What was issued, in one of four tiers: the same bytes each time."""
        asked = await read_body(request, StatementAsked)
        return given(await statement(room, asked))

    @router.post(
        "/prefunds/find", response_model=GivenAnswer, openapi_extra=described(PrefundsAsked)
    )
    async def find_prefunds(request: Request) -> Response:
        """A page of prefunds, by debtor and creditor."""
        asked = await read_body(request, PrefundsAsked)
        debtor, _, creditor = (asked.after or "-").partition("-")
        async with room.reading() as tx:
            now = await clock(tx)
            found = await prefunds_after(tx, (debtor, creditor), asked.limit + 1)
        listed = prefunds_view(found, asked.limit, now)
        return given(Answer(status=200, body=listed.model_dump_json()))

    return router


async def stepped(request: Request, step: Callable[[str, str], Awaitable[Answer]]) -> Response:
    asked = await read_body(request, PeriodAsked)
    return given(await step(asked.period, asked.instance))


async def statement(room: Room, asked: StatementAsked) -> Answer:
    """A statement, or why there is none."""
    of = whose(room, asked)
    if isinstance(of, Refusal):
        return problem(of, asked.instance)
    async with room.unhurried() as tx:
        month = (await months_of(tx, [asked.period])).get(asked.period)
        if month is None:
            return problem(NotFound("the month was not cut"), asked.instance)
        if not month.has_reached("issued"):
            return problem(WrongState(f"the month is {month.state}"), asked.instance)
        rows = await rows_of(tx, asked.period, asked.tier, of)
    view = statement_view(month, asked.tier, rows)
    return Answer(status=200, body=view.model_dump_json())


def whose(room: Room, asked: StatementAsked) -> str | Refusal:
    """Of which province, pool or institution; empty for the nation."""
    wanted = {"province": "admdvs", "city": "admdvs", "institution": "institution"}.get(asked.tier)
    said = {"admdvs": asked.admdvs, "institution": asked.institution}
    for name, value in said.items():
        if (value is not None) != (name == wanted):
            needs = "needs" if name == wanted else "has no"
            return Invalid(f"{name}: a statement of tier {asked.tier} {needs} {name}")
    if wanted is None:
        return ""
    of = said[wanted]
    assert of is not None
    if wanted == "admdvs" and not is_known(room, of, asked.period):
        return NotFound("there is no such area")
    return of


def is_known(room: Room, code: str, period: str) -> bool:
    """Whether an area has this code at the beginning or at the end of that month."""
    first = date.fromisoformat(f"{period}-01")
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    for day in (first, last):
        try:
            room.policy.province_of(code, day)
        except UnknownArea:
            continue
        return True
    return False


def given(answer: Answer) -> Response:
    """The caller's answer, in one of our own."""
    if answer.status == Unavailable.status:
        raise Unavailable
    told = GivenAnswer(
        status=answer.status, body=answer.body, replayed=False, retry_after=answer.retry_after
    )
    return respond(Answer(status=200, body=told.model_dump_json()))
