"""Our own services over HTTP: a deadline on every call, the service token, failures by name.

Commands go in natural batches, one call in flight a cell: larger batches beat more calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

import orjson
import structlog
from prometheus_client import Histogram
from pydantic import BaseModel

from contracts.internal import Call, GivenAnswer, GivenAnswers, History
from contracts.refusals import CATALOGUE
from gateway.edge.line import Line, Silent
from kit.answers import Answer, problem
from kit.batch import Batcher
from kit.faultpoint import declare, faultpoint
from kit.refusal import Busy, NotFound, Unavailable

declare("gateway.before-commands")

log = structlog.get_logger("gateway.neighbours")

M = TypeVar("M", bound=BaseModel)

HISTORY = "/internal/history"

BATCH_CALLS = Histogram(
    "neighbour_batch_calls", "Calls in one request", ["neighbour"], buckets=(1, 2, 5, 10, 50, 200)
)


class Neighbour:
    """One of our services. What it does not answer in time, or at all, is Unavailable."""

    def __init__(self, name: str, *, line: Line, seconds: float) -> None:
        self._name = name
        self._line = line
        self._seconds = seconds

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> str | None:
        """The text at a path; None where there is nothing. No query may name a person."""
        found = await self._send("GET", f"{path}?{urlencode(query)}" if query else path)
        return None if found is None else found.decode()

    async def ask(self, path: str, question: BaseModel) -> str | None:
        """The text that answers a question; None where there is nothing."""
        found = await self._send("POST", path, question.model_dump_json().encode())
        return None if found is None else found.decode()

    async def history(
        self, name: str, *, caller: str | None = None, also: Sequence[UUID] = ()
    ) -> History:
        """What it knows of an id or a key, and of other ids; of this caller's keys alone."""
        query = [("also", str(each)) for each in also]
        if caller is not None:
            query.append(("caller", caller))
        text = await self.get(f"{HISTORY}/{quote(name, safe='')}?{urlencode(query)}")
        found = read(History, text)
        if found is None:
            raise Unavailable(f"{self._name} tells no histories yet")
        return found

    async def perform(self, calls: Sequence[bytes]) -> list[Answer]:
        """Commands in one request, each with an answer of its own; `calls` are texts of `Call`."""
        _calls_of(self._name).observe(len(calls))
        faultpoint("gateway.before-commands")
        text = await self._send("POST", "/internal/commands", b'{"calls":[%s]}' % b",".join(calls))
        if text is None:
            raise Unavailable(f"{self._name} takes no commands")
        given = GivenAnswers.model_validate_json(text).answers
        assert len(given) == len(calls), "every call is answered"
        return [
            Answer(
                status=one.status,
                body=one.body,
                replayed=one.replayed,
                retry_after=one.retry_after,
            )
            for one in given
        ]

    async def _send(self, method: str, target: str, content: bytes = b"") -> bytes | None:
        try:
            async with asyncio.timeout(self._seconds):
                reply = await self._line.send(method, target, content)
        except (Silent, TimeoutError) as error:
            log.warning("neighbour.silent", neighbour=self._name, error=type(error).__name__)
            raise Unavailable(f"{self._name} did not answer") from None
        match reply.status:
            case 200 | 201 | 202:
                return reply.body
            case 404:
                return None
            case 429:
                raise Busy
        log.warning("neighbour.refused", neighbour=self._name, status=reply.status)
        raise Unavailable(f"{self._name} could not answer")

    def close(self) -> None:
        self._line.close()


@cache
def _calls_of(neighbour: str) -> Histogram:
    return BATCH_CALLS.labels(neighbour)


def read(model: type[M], text: str | None) -> M | None:
    """A neighbour's text as `model`."""
    return None if text is None else model.model_validate_json(text)


FINAL = {(refusal.code(), refusal.retryable) for refusal in CATALOGUE if refusal.kept}


def answer_of(text: str | None, instance: str) -> Answer:
    """What a neighbour has us answer; final is what it did, and what it refused for good."""
    given = read(GivenAnswer, text)
    if given is None:
        return problem(NotFound(), instance)
    return Answer(
        status=given.status, body=given.body, retry_after=given.retry_after, kept=_is_final(given)
    )


def _is_final(given: GivenAnswer) -> bool:
    if given.status < 400:
        return True
    told = orjson.loads(given.body)
    return (told["code"], told["retryable"]) in FINAL


def text_of(call: Call[Any]) -> bytes:
    """A call as it is sent."""
    return call.model_dump_json().encode()


def written(**call: object) -> bytes:
    """The text of a `Call` made of values that were checked when they came in.

    Who is asked reads it strictly; to validate it here as well would cost a payment more than
    parsing its body.
    """
    return orjson.dumps(call, default=_embedded)


def _embedded(model: object) -> orjson.Fragment:
    assert isinstance(model, BaseModel)
    return orjson.Fragment(model.model_dump_json(exclude_defaults=True))


def batched(neighbour: Neighbour, *, most: int, queue: int) -> Batcher[bytes, Answer]:
    """A queue to a neighbour, one call in flight."""
    return Batcher(neighbour.perform, most=most, queue=queue)
