"""Commands over HTTP: many calls in one request, batched by cell, each with an answer of its own.

    {"calls": [call, …]}  →  {"answers": [{"status", "body", "replayed", "retry_after"}, …]}

`body` is the exact text the caller gets. A malformed request is refused whole (422 `invalid`);
after that every call is answered by itself: a poison command is 500 `internal` for its own call
alone, and a cell that cannot be had is `busy` or `unavailable` for the calls of that cell.

A service's edge builds one desk and mounts `desk.answer` as the route; it drains on the way out:

    desk = CommandDesk(
        calls=Calls[WalletCommand],                      # the pydantic model of the request
        doors={cell: door.perform for …},                # one a cell
        cell_of=lambda call: cell_of_owner(…, cells),    # of one call
        anchors_of=anchors_of,                           # async: whom to lock, of one call
    )
    app.add_api_route("/internal/commands", desk.answer, methods=["POST"],
                      dependencies=[Depends(service_token(…))], response_model=None,
                      openapi_extra=described(Calls[WalletCommand], GivenAnswers))
    desk.serve(app, "/internal/commands", token=…)   # the same, without FastAPI's price
    await desk.close()
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kit import tracing
from kit.answers import Answer, problem
from kit.batch import Batcher
from kit.frame import Internal, send_json
from kit.http import serve_directly, token_check
from kit.ids import named_id
from kit.json_body import parsed, read_body
from kit.refusal import Busy, Invalid, Refusal, Unavailable
from kit.work import Broken, Job, Outcome, ReceiptKey

COMMANDS = uuid5(NAMESPACE_URL, "urn:kit:command")


class CallLike(Protocol):
    """One command, and the name under which its answer is remembered.

    `person_id` is whom it concerns; None where only the service can know. `fingerprint` is hex;
    without a `key` nothing is remembered. `instance` is the path asked.
    """

    @property
    def caller(self) -> str: ...
    @property
    def person_id(self) -> UUID | None: ...
    @property
    def key(self) -> str | None: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def traceparent(self) -> str | None: ...
    @property
    def command(self) -> Any: ...


Performs = Callable[[Sequence[Job]], Awaitable[Sequence[Outcome]]]
AnchorsOf = Callable[[Any], Awaitable[tuple[UUID, ...]]]
CellOf = Callable[[Any], int]
PersonsOf = Callable[[Sequence[Any]], Awaitable[Sequence[UUID | Refusal]]]


async def persons_named(calls: Sequence[CallLike]) -> list[UUID | Refusal]:
    """Whom calls concern, where each of them says so."""
    return [call.person_id or Invalid("person_id: whom the call concerns") for call in calls]


class CommandDesk:
    """Takes calls, hands each cell's door natural batches of jobs, answers call by call.

    `persons_of` says whom calls concern, or why they are refused. `anchors_of` says whose books a
    call may change besides; the person concerned is added where the call has a key, because that
    anchor guards its receipt, or did not say whom it concerns. `most` and `queue` are the
    Batcher's.
    """

    def __init__(
        self,
        *,
        calls: type[BaseModel],
        doors: Mapping[int, Performs],
        cell_of: CellOf,
        anchors_of: AnchorsOf,
        persons_of: PersonsOf = persons_named,
        most: int = 200,
        queue: int = 4096,
    ) -> None:
        self._calls = calls
        self._cell_of = cell_of
        self._anchors_of = anchors_of
        self._persons_of = persons_of
        self._inside: dict[tuple[str, UUID, str], int] = {}
        self._batchers: dict[int, Batcher[Job, Outcome]] = {
            cell: Batcher(perform, most=most, queue=queue) for cell, perform in doors.items()
        }

    def serve(self, app: FastAPI, path: str, *, token: str) -> None:
        """Answer POST on this path in front of FastAPI, whose route only describes it."""
        check_token = token_check(token)

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            check_token(scope)
            asked: Any = parsed(self._calls, (await receive())["body"])
            await send_json(send, rendered(await self.perform(asked.calls)))

        serve_directly(app, "POST", path, serve)

    async def answer(self, request: Request) -> Response:
        """The route: 200 with an answer a call. Raises Invalid for a malformed request."""
        asked: Any = await read_body(request, self._calls)
        return Response(rendered(await self.perform(asked.calls)), media_type="application/json")

    async def perform(self, calls: Sequence[CallLike]) -> list[Answer]:
        """Perform calls and answer them in their order."""
        persons = await self._persons_of(calls)
        answers: dict[int, Answer] = {}
        cells: dict[int, list[int]] = {}
        jobs: dict[int, Job] = {}
        for n, (call, person) in enumerate(zip(calls, persons, strict=True)):
            if isinstance(person, Refusal):
                answers[n] = problem(person, call.instance)
                continue
            cells.setdefault(self._cell_of(call), []).append(n)
            jobs[n] = job_of(call, await self._anchors_of(call), person)
        with self._marked(jobs.values()):
            given = await asyncio.gather(
                *(self._in_cell(cell, [jobs[n] for n in of]) for cell, of in cells.items())
            )
        for numbers, of_cell in zip(cells.values(), given, strict=True):
            answers.update(zip(numbers, of_cell, strict=True))
        return [answers[n] for n in range(len(calls))]

    def is_inside(self, key: ReceiptKey) -> bool:
        """Whether a call under this key is being performed here; other processes may have some."""
        return key.name in self._inside

    @contextmanager
    def _marked(self, jobs: Iterable[Job]) -> Iterator[None]:
        names = [job.receipt.name for job in jobs if job.receipt is not None]
        for name in names:
            self._inside[name] = self._inside.get(name, 0) + 1
        try:
            yield
        finally:
            for name in names:
                left = self._inside.pop(name) - 1
                if left:
                    self._inside[name] = left

    async def _in_cell(self, cell: int, jobs: Sequence[Job]) -> list[Answer]:
        try:
            outcomes = await self._batchers[cell].submit_all(jobs)
        except (Busy, Unavailable) as refusal:
            return [problem(refusal, job.instance) for job in jobs]
        return [_answer_of(given, job) for given, job in zip(outcomes, jobs, strict=True)]

    async def close(self) -> None:
        """Take no more calls and finish those that were taken."""
        await asyncio.gather(*(batcher.close() for batcher in self._batchers.values()))


def command_id(call: CallLike, person_id: UUID) -> UUID:
    """The same for every try under one key, so that a repeated try repeats its events' ids."""
    if call.key is None:
        return uuid4()
    return named_id(COMMANDS, f"{call.caller}\n{person_id}\n{call.key}")


def job_of(call: CallLike, anchors: tuple[UUID, ...], person_id: UUID) -> Job:
    """The job of one call, which concerns this person."""
    receipt = None
    if call.key is not None:
        receipt = ReceiptKey(
            caller=call.caller,
            scope=person_id,
            key=call.key,
            fingerprint=bytes.fromhex(call.fingerprint),
        )
    if call.key is not None or call.person_id is None:
        anchors = (*anchors, person_id)
    return Job(
        command=call.command,
        command_id=command_id(call, person_id),
        anchors=tuple(dict.fromkeys(anchors)),
        receipt=receipt,
        instance=call.instance,
        traceparent=call.traceparent or tracing.current(),
    )


def rendered(answers: Sequence[Answer]) -> bytes:
    """The response's JSON text."""
    return orjson.dumps(
        {
            "answers": [
                {
                    "status": given.status,
                    "body": given.body,
                    "replayed": given.replayed,
                    "retry_after": given.retry_after,
                }
                for given in answers
            ]
        }
    )


def _answer_of(outcome: Outcome, job: Job) -> Answer:
    if isinstance(outcome, Answer):
        return outcome
    assert isinstance(outcome, Broken), "a call has no position to skip or to miss"
    return problem(Internal(), job.instance)
