"""One public route: who asks, what exactly, and the answer on its way out.

    body small enough   413, before anything of it is read (kit's frame)
    room                429: more than can be served in time is refused at once
    caller              401: signature or bearer token; 403: a role that the caller has not
    nonce               401: once
    key                 422: required for what changes something
    body, query         422: exactly what was declared
    business            everything else, in the route's own function

Plain ASGI inside the FastAPI application, because its frame costs more than all of this; OpenAPI
is written from the same declaration (`openapi.py`), so that it stays true. Answers to callers that
sign are signed on their way out (`answers.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from gateway.edge.room import Room
from gateway.edge.strict import canonical, read_body, read_query
from gm.message_signatures import Signed
from gm.signing import SigningKey
from kit.answers import Answer, problem
from kit.faultpoint import declare, faultpoint
from kit.frame import send_answer
from kit.refusal import Invalid, KeyRequired, NotFound, Refusal

declare("gateway.before-reply")

C = TypeVar("C")
B = TypeVar("B")

KEY = re.compile(r"[\x21-\x7e]{1,255}")
MONTH = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])")
_JSON = re.compile(r"application/json\s*(;.*)?", re.IGNORECASE)
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def now() -> datetime:
    """The process's clock: good enough for the age of signatures and tokens."""
    return datetime.now(UTC)


PROOF = "gateway.proof"
"""Where in an ASGI scope the proof of its signature is left for the answer."""


@dataclass(slots=True)
class Proof:
    """The verified signature of a request, once there is one; `answers` signs for a session."""

    signed: Signed | None = None
    answers: SigningKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came; `target` is path and query exactly as received."""

    method: str
    path: str
    target: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    proof: Proof | None = None


class Verified(Protocol):
    """A caller that proved who it is; `fields` are its request's headers, joined by name."""

    @property
    def caller(self) -> Any: ...

    @property
    def fields(self) -> Mapping[str, str]: ...

    async def admit(self) -> None:
        """Refuse what was asked before. Raises SignatureReplayed."""


class Authentication(Protocol):
    """A way to prove who asks; `challenge` is what a 401 says in WWW-Authenticate."""

    @property
    def challenge(self) -> str: ...

    async def verify(self, request: Request) -> Verified:
        """Raises the refusal that says what is wrong with the proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[C, B]):
    """What a verified caller asks, read and checked. `key` is "" where none was needed or sent.

    `month` is the Beijing month that the path names; "" where it names none.
    """

    caller: C
    path: str
    ids: Mapping[str, UUID]
    month: str
    query: Any
    key: str
    body: B
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A public route as it is declared: the code that runs and what OpenAPI says of it."""

    method: str
    path: str
    summary: str
    authentication: str
    perform: Callable[[Asked[Any, Any]], Awaitable[Answer]]
    answers: Mapping[int, type[BaseModel]]
    refusals: Sequence[type[Refusal]]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    needs_key: bool = False
    takes_key: bool = False
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The routes of one path, by method, as an ASGI application."""

    routes: Mapping[str, Route]
    authentications: Mapping[str, Authentication]
    room: Room
    fingerprint_key: bytes = field(repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.routes[scope["method"]]
        authentication = self.authentications[route.authentication]
        scope["route"] = route  # for the name of the route in metrics
        request = await request_of(scope, receive)
        try:
            seat = self.room.enter()
            try:
                verified = await authentication.verify(request)
                await verified.admit()
                asked = self._asked(route, request, verified, scope["path_params"])
                answer = await route.perform(asked)
                faultpoint("gateway.before-reply")
            finally:
                self.room.leave(seat)
        except Refusal as refusal:
            answer = problem(refusal, request.path)
        if answer.status == 401:
            challenge = (b"www-authenticate", authentication.challenge.encode())
            await send_answer(send, answer, challenge)
        else:
            await send_answer(send, answer)

    def _asked(
        self,
        route: Route,
        request: Request,
        verified: Verified,
        path_params: Mapping[str, str],
    ) -> Asked[Any, Any]:
        key = _key_of(route, verified.fields)
        query = read_query(route.query, request.query)
        body = _body_of(route, request, verified.fields)
        ids = {name: _id_of(text) for name, text in path_params.items() if name.endswith("_id")}
        text = f"{request.method}\n{request.path}\n".encode() + canonical(body)
        return Asked(
            caller=verified.caller,
            path=request.path,
            ids=ids,
            month=_month_of(path_params),
            query=query,
            key=key,
            body=body,
            # Keyed, because a body may hold an identity number that a plain hash would give away.
            fingerprint=hmac.digest(self.fingerprint_key, text, hashlib.sha256),
        )


def _key_of(route: Route, fields: Mapping[str, str]) -> str:
    if not (route.needs_key or route.takes_key):
        return ""
    key = fields.get("idempotency-key", "")
    if not key and route.needs_key:
        raise KeyRequired
    if not key:
        return ""
    if not KEY.fullmatch(key):
        raise Invalid("Idempotency-Key: 1 to 255 printable ASCII characters without spaces")
    return key


def _body_of(route: Route, request: Request, fields: Mapping[str, str]) -> BaseModel | None:
    if route.body is None:
        if request.body:
            raise Invalid("no body is known here")
        return None
    if request.body and not _JSON.fullmatch(fields.get("content-type", "")):
        raise Invalid("Content-Type: application/json")
    return read_body(route.body, request.body)


def _id_of(text: str) -> UUID:
    if not _ID.fullmatch(text):
        raise NotFound
    return UUID(text)


def _month_of(path_params: Mapping[str, str]) -> str:
    text = path_params.get("month", "")
    if text and not MONTH.fullmatch(text):
        raise NotFound
    return text


async def request_of(scope: Scope, receive: Receive) -> Request:
    """The request with its whole body, which kit's frame gives in one message."""
    message = await receive()
    return Request(
        method=scope["method"],
        path=scope["path"],
        target=target_of(scope),
        query=scope["query_string"],
        headers=scope["headers"],
        body=message.get("body", b""),
        proof=scope.get(PROOF),
    )


def target_of(scope: Scope) -> str:
    """Path and query exactly as received."""
    path = str(scope["raw_path"].decode("latin-1"))
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
