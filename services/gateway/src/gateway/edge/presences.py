"""`POST /v1/presences`: the credential shown becomes a person, the person a token (R30).

What the credential says lives no longer than the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5

from contracts.internal import IdentifyPerson, PersonFacts
from contracts.public import Credential, Institution, NewPresence, Presence, PresentWallet
from contracts.refusals import ConsentRequired
from gateway.domain.credentials import certificate_of, certificate_of_agent
from gateway.edge.decoder import Decoder
from gateway.edge.endpoint import Asked, Route
from gateway.edge.relations import Relations
from gateway.edge.routes import SIGNED, SIGNED_REFUSALS
from gateway.edge.signatures import CONNECTION_SECONDS, from_database
from gateway.edge.wallet import Wallet
from gateway.store.receipts import Repeated, earlier_answers
from gateway.usecases.prove_presence import ProvePresence
from kit import tracing
from kit.answers import Answer, problem
from kit.batch import Batcher
from kit.frame import Internal
from kit.perform import Door
from kit.postgres import Pool
from kit.refusal import InProgress, Invalid, KeyRequired, KeyReused, NotFound
from kit.work import Job, Outcome, ReceiptKey

COMMANDS = uuid5(NAMESPACE_URL, "urn:gongji:gateway:presence")


class Presences:
    """Proves presence for institutions; `door` keeps the answers for their replays."""

    def __init__(
        self, *, pool: Pool, door: Door, relations: Relations, wallet: Wallet, decoder: Decoder
    ) -> None:
        self._pool = pool
        self._relations = relations
        self._wallet = wallet
        self._decoder = decoder
        self._earlier: Batcher[Repeated, Answer | None] = Batcher(self._read_earlier)
        self._jobs: Batcher[Job, Outcome] = Batcher(door.perform)

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/presences",
                summary="Prove that the beneficiary is here, by the beneficiary's own credential",
                authentication=SIGNED,
                perform=self.prove,
                answers={201: Presence},
                body=NewPresence,
                needs_key=True,
                refusals=(
                    *SIGNED_REFUSALS,
                    KeyRequired,
                    KeyReused,
                    InProgress,
                    NotFound,
                    ConsentRequired,
                ),
                notes=(
                    "`e_certificate`: `value` is the scanned code. `id_card`: `value` is the "
                    "number. `social_card`: `value` is the social-security number, `card_sn` is "
                    "required. `psn_cert_type` is 01 unless it is said."
                ),
            )
        ]

    async def prove(self, asked: Asked[Institution, NewPresence]) -> Answer:
        # A replay comes first: a scanned code is good for once.
        caller = f"institution:{asked.caller.code}"
        earlier = await self._earlier.submit(
            Repeated(caller=caller, key=asked.key, fingerprint=asked.fingerprint)
        )
        if earlier is not None:
            return earlier
        agent = None if asked.body.agent is None else certificate_of_agent(asked.body.agent)
        person = await self._identified(asked.body.credential)
        if agent is not None:
            await self._check_agent(agent, person)
        wallet = await self._wallet.summary(person.person_id)
        command = ProvePresence(
            institution=asked.caller.code,
            person=person,
            wallet=PresentWallet(open=wallet.open, available_fen=wallet.available_fen),
        )
        return await self._kept(asked, caller, command)

    async def _read_earlier(self, asked: Sequence[Repeated]) -> list[Answer | None]:
        found = earlier_answers(self._pool, asked, within=CONNECTION_SECONDS)
        return await from_database(found)

    async def _identified(self, credential: Credential) -> PersonFacts:
        decoded = None
        if credential.type == "e_certificate":
            decoded = await self._decoder.decode(credential.value)
        return await self._relations.identify(certificate_of(credential, decoded))

    async def _check_agent(self, agent: IdentifyPerson, person: PersonFacts) -> None:
        """Whom the platform knows must be of age and so called; others may come as well (R13)."""
        nameless = agent.model_copy(update={"name": None})
        try:
            known = await self._relations.identify(nameless)
        except NotFound:
            return
        if known.person_id == person.person_id:
            raise Invalid("agent: the beneficiary needs no agent to be there")
        if not known.of_age:
            raise ConsentRequired("agent: who is under age speaks for nobody")
        try:
            await self._relations.identify(agent)
        except NotFound:
            raise Invalid("agent.name: not the name of this certificate") from None

    async def _kept(
        self, asked: Asked[Institution, NewPresence], caller: str, command: ProvePresence
    ) -> Answer:
        person_id = command.person.person_id
        outcome = await self._jobs.submit(
            Job(
                command=command,
                command_id=uuid5(COMMANDS, f"{caller}\n{person_id}\n{asked.key}"),
                anchors=(person_id,),
                receipt=ReceiptKey(
                    caller=caller, scope=person_id, key=asked.key, fingerprint=asked.fingerprint
                ),
                instance=asked.path,
                traceparent=tracing.current(),
            )
        )
        return outcome if isinstance(outcome, Answer) else problem(Internal(), asked.path)

    async def close(self) -> None:
        await self._jobs.close()
