"""`POST /v1/quotes`: what a payment would be now. The wallet reckons, nothing is reserved."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from contracts import commands
from contracts.internal import institution_caller
from contracts.public import Institution, NewPayment, NewQuote, Quote, Quoted
from gateway.domain.presence import PresenceSeal
from gateway.domain.quotes import Fault, subject_of
from gateway.edge.endpoint import Asked, Route
from gateway.edge.routes import CHARGE_REFUSALS, SIGNED
from gateway.edge.signatures import CONNECTION_SECONDS, from_database
from gateway.edge.wallet import Wallet
from gateway.store.quotes import live_quote, prune
from gateway.store.receipts import Repeated, earlier_answers
from gateway.usecases.keep_quote import KeepQuote
from kit import tracing
from kit.answers import Answer, problem
from kit.batch import Batcher
from kit.frame import Internal
from kit.perform import Door
from kit.postgres import Pool
from kit.reading import reading
from kit.refusal import InProgress, KeyReused
from kit.work import Job, Outcome, ReceiptKey

MOST_PRUNED = 10_000


class Quotes:
    """Quotes of institutions; `door` keeps them, and the answers of those that have a key."""

    def __init__(self, *, pool: Pool, door: Door, wallet: Wallet, seal: PresenceSeal) -> None:
        self._pool = pool
        self._wallet = wallet
        self._seal = seal
        self._earlier: Batcher[Repeated, Answer | None] = Batcher(self._read_earlier)
        self._jobs: Batcher[Job, Outcome] = Batcher(door.perform)

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/quotes",
                summary="What a payment of this bill would be now; reserves nothing",
                authentication=SIGNED,
                perform=self.quote,
                answers={200: Quote},
                body=NewQuote,
                takes_key=True,
                refusals=(*CHARGE_REFUSALS, KeyReused, InProgress),
                notes=(
                    "Refused as the payment would be. Without `amount_fen`: as much as the bill "
                    "allows and relatives have, perhaps nothing. A payment of the same bill, "
                    "purpose and person may name the `quote_id` until `expires_at`. A key is "
                    "optional; under it a quote that was given is given again, a refusal is not "
                    "kept."
                ),
            )
        ]

    async def quote(self, asked: Asked[Institution, NewQuote]) -> Answer:
        caller = institution_caller(asked.caller.code)
        if asked.key:
            # A replay needs no live presence.
            repeated = Repeated(caller=caller, key=asked.key, fingerprint=asked.fingerprint)
            earlier = await self._earlier.submit(repeated)
            if earlier is not None:
                return earlier
        wanted, institution = asked.body, asked.caller
        presence = self._seal.open(wanted.presence_token, institution.code)
        given = await self._wallet.quote(
            commands.Quote(
                person_id=presence.person_id,
                institution=institution.code,
                institution_kind=institution.kind,
                mdtrtarea_admvs=institution.mdtrtarea_admvs,
                wallet_enabled=institution.wallet_enabled,
                presence_expires_at=presence.expires_at,
                purpose=wanted.purpose,
                bill=wanted.bill,
                amount_fen=wanted.amount_fen,
                instance=asked.path,
            )
        )
        if given.status != 200:
            return given
        command = KeepQuote(
            institution=institution.code,
            person_id=presence.person_id,
            asked=subject_of(wanted.purpose, wanted.bill),
            quoted=Quoted.model_validate_json(given.body),
        )
        return await self._kept(asked, caller, command)

    async def fault(self, institution: str, person_id: UUID, wanted: NewPayment) -> Fault | None:
        """What is wrong with the quote that a payment names. Raises Unavailable."""
        assert wanted.quote_id is not None
        async with reading(self._pool) as tx:
            quote = await live_quote(tx, wanted.quote_id)
        if quote is None:
            return "unknown"
        return quote.fault(institution, person_id, subject_of(wanted.purpose, wanted.bill))

    async def _kept(
        self, asked: Asked[Institution, NewQuote], caller: str, command: KeepQuote
    ) -> Answer:
        person_id = command.person_id
        receipt = ReceiptKey(
            caller=caller, scope=person_id, key=asked.key, fingerprint=asked.fingerprint
        )
        outcome = await self._jobs.submit(
            Job(
                command=command,
                command_id=uuid4(),
                anchors=(person_id,),
                receipt=receipt if asked.key else None,
                instance=asked.path,
                traceparent=tracing.current(),
            )
        )
        return outcome if isinstance(outcome, Answer) else problem(Internal(), asked.path)

    async def _read_earlier(self, asked: Sequence[Repeated]) -> list[Answer | None]:
        found = earlier_answers(self._pool, asked, within=CONNECTION_SECONDS)
        return await from_database(found)

    async def prune(self) -> None:
        """Forget quotes that have expired."""
        while await prune(self._pool, most=MOST_PRUNED, within=CONNECTION_SECONDS) == MOST_PRUNED:
            pass

    async def close(self) -> None:
        await self._jobs.close()
