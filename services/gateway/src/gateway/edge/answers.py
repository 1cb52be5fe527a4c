"""Signs every answer to a request that is signed: refusals, unknown paths and too long bodies too.

Outermost of all, so that nothing the frame or the router says goes out unsigned. An answer is bound
to the request's signature. Where that was not verified (the body was too long to be read, the path
is unknown) the answer only says so; a 401 for a signature that does not fit is not signed.

A session's requests are answered under the session's key, so that its holder verifies cheaply too;
where nothing was verified the long key signs, whatever key id is claimed.

Who comes while the room is full is turned away here, before anything of the request is looked at:
to refuse has to be far cheaper than to serve, or refusing leaves no time to serve.
"""

from __future__ import annotations

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.edge.endpoint import PROOF, Proof, now, target_of
from gateway.edge.room import Room
from gm import message_signatures
from gm.message_signatures import Candidate, SignatureInvalid, Signed
from gm.signing import SigningKey
from kit.answers import problem
from kit.frame import header, send_answer
from kit.refusal import Busy

TURNED_AWAY = Counter("gateway_turned_away_total", "Requests that came while the room was full")


class SignedAnswers:
    """Plain ASGI: holds an answer back until it is whole, and signs it."""

    def __init__(self, app: ASGIApp, *, room: Room, response_key: SigningKey) -> None:
        self._app = app
        self._room = room
        self._response_key = response_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_signed(scope):
            await self._app(scope, receive, send)
            return
        if self._room.is_full():
            await self._turn_away(scope, send)
            return
        proof = scope[PROOF] = Proof()
        start: Message = {}
        body = b""

        async def sending(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if message.get("more_body", False):
                return
            start["headers"] = [*start["headers"], *self._signing(scope, proof, start, body)]
            await send(start)
            await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, sending)

    async def _turn_away(self, scope: Scope, send: Send) -> None:
        TURNED_AWAY.inc()
        refusal = problem(Busy(), scope["path"])
        start = {"status": refusal.status}
        signed = self._signing(scope, Proof(), start, refusal.body.encode())
        await send_answer(send, refusal, *signed)

    def _signing(
        self, scope: Scope, proof: Proof, start: Message, body: bytes
    ) -> list[tuple[bytes, bytes]]:
        status = start["status"]
        request: Signed | Candidate | None = proof.signed
        if request is None and status != 401:
            request = _claimed(scope)
        if request is None:
            return []
        signed = message_signatures.sign_response(
            proof.answers or self._response_key,
            status=status,
            body=body,
            now=now(),
            request=request,
        )
        return [(name.encode(), value.encode()) for name, value in signed.items()]


def _is_signed(scope: Scope) -> bool:
    return header(scope, b"signature-input") is not None


def _claimed(scope: Scope) -> Candidate | None:
    """The signature a request claims to have, unverified: enough to say which request it was."""
    try:
        return message_signatures.parse_request(
            method=scope["method"], target_uri=target_of(scope), headers=scope["headers"]
        )[0]
    except SignatureInvalid:
        return None
