"""`POST /v1/reversals`, `GET /v1/requests/{key}`: for whoever does not know what became of it."""

from __future__ import annotations

from uuid import UUID

from contracts.commands import Reverse
from contracts.internal import Call, institution_caller
from contracts.public import AskedRequest, Institution, NewReversal, Reversal
from contracts.refusals import ReversalNotPossible, ReversalNotPossibleYet
from contracts.vocabulary import Wire
from gateway.edge.endpoint import KEY, Asked, Route
from gateway.edge.routes import SIGNED, SIGNED_REFUSALS
from gateway.edge.wallet import Wallet
from kit import tracing
from kit.answers import Answer
from kit.refusal import InProgress, Invalid, KeyRequired, KeyReused, NotFound

REQUESTS = "/v1/requests/"


class Concerned(Wire):
    """Whom the request was about."""

    person_id: UUID


class Reversals:
    """What institutions undo by key. A key is always one's own: nobody knows another's."""

    def __init__(self, *, wallet: Wallet) -> None:
        self._wallet = wallet

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/reversals",
                summary="Undo what was asked under a key, or see to it that it never happens",
                authentication=SIGNED,
                perform=self.reverse,
                answers={200: Reversal},
                body=NewReversal,
                needs_key=True,
                refusals=(
                    *SIGNED_REFUSALS,
                    KeyRequired,
                    KeyReused,
                    InProgress,
                    ReversalNotPossible,
                    ReversalNotPossibleYet,
                ),
                notes=(
                    "A hold is released, a capture given back less what was refunded, a refund "
                    "charged again. `tombstoned`: nothing was asked under the key yet, and what "
                    "arrives under it late is refused as `reversed-before-arrival`."
                ),
            ),
            Route(
                method="GET",
                path=REQUESTS + "{key}",
                summary="What is known of a key; a 404 proves nothing, only a reversal does",
                authentication=SIGNED,
                perform=self.read,
                answers={200: AskedRequest},
                query=Concerned,
                refusals=(*SIGNED_REFUSALS, NotFound),
            ),
        ]

    async def reverse(self, asked: Asked[Institution, NewReversal]) -> Answer:
        wanted = asked.body
        if wanted.original_key == asked.key:
            raise Invalid(
                "original_key: this request's own key, under which nothing else was asked"
            )
        call = Call[Reverse](
            caller=institution_caller(asked.caller.code),
            person_id=wanted.person_id,
            key=asked.key,
            fingerprint=asked.fingerprint.hex(),
            instance=asked.path,
            traceparent=tracing.current(),
            command=Reverse(
                person_id=wanted.person_id,
                institution=asked.caller.code,
                original_key=wanted.original_key,
            ),
        )
        return await self._wallet.perform(wanted.person_id, call)

    async def read(self, asked: Asked[Institution, None]) -> Answer:
        concerned: Concerned = asked.query
        key = asked.path.removeprefix(REQUESTS)
        if not KEY.fullmatch(key):
            raise NotFound
        caller = institution_caller(asked.caller.code)
        text = await self._wallet.request(caller, concerned.person_id, key)
        if text is None:
            raise NotFound
        return Answer(status=200, body=text)
