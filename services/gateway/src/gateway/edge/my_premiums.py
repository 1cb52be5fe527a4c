"""Premiums that relatives' quotas pay: asked by the beneficiary, or by who shares with them (R10).

Who is under age leaves it to a guardian, who shares with them (R13). Everybody else is a stranger
and sees nothing of the person.
"""

from __future__ import annotations

from uuid import UUID

from contracts.commands import PayPremium
from contracts.internal import Call, PersonFacts
from contracts.public import NewPremium, Payment
from contracts.refusals import (
    AreaNotOpen,
    ConsentRequired,
    QuotaInsufficient,
    RelationActivating,
    RelationNotActive,
    WalletNotOpen,
)
from contracts.vocabulary import RelationState, Role
from gateway.edge.endpoint import Asked, Route
from gateway.edge.guardians import IN_FORCE
from gateway.edge.relations import Relations
from gateway.edge.routes import BEARER, CITIZEN_REFUSALS, caller_name, person_of
from gateway.edge.tokens import Citizen
from gateway.edge.wallet import Wallet
from kit import tracing
from kit.answers import Answer
from kit.refusal import InProgress, KeyRequired, KeyReused, NotFound, WrongState


class MyPremiums:
    """What a citizen does about premiums."""

    def __init__(self, *, relations: Relations, wallet: Wallet) -> None:
        self._relations = relations
        self._wallet = wallet

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/me/premiums",
                summary="Have relatives' quotas pay a premium, once its fund accepts it",
                authentication=BEARER,
                perform=self.pay,
                answers={202: Payment},
                body=NewPremium,
                needs_key=True,
                refusals=(
                    *(*CITIZEN_REFUSALS, KeyRequired, KeyReused, InProgress),
                    *(ConsentRequired, RelationActivating, RelationNotActive),
                    *(WalletNotOpen, AreaNotOpen, WrongState, QuotaInsufficient),
                ),
                notes=(
                    "The beneficiary asks, or somebody who shares with them. The amount is held "
                    "until the fund of the enrolment area accepts the levy (`captured`) or refuses "
                    "it (`released`); it does not expire. A levy that is held or paid is "
                    "`wrong-state`."
                ),
            )
        ]

    async def pay(self, asked: Asked[Citizen, NewPremium]) -> Answer:
        wanted = asked.body
        asker = await person_of(self._relations, asked)
        call = Call[PayPremium](
            caller=caller_name(asker),
            person_id=asker.person_id,
            key=asked.key,
            fingerprint=asked.fingerprint.hex(),
            instance=asked.path,
            traceparent=tracing.current(),
            command=PayPremium(
                person_id=wanted.person_id,
                entitled=await self._entitled(asker, wanted.person_id),
                insutype=wanted.insutype,
                year=wanted.year,
                levy_no=wanted.levy_no,
                amount_fen=wanted.amount_fen,
            ),
        )
        return await self._wallet.perform(wanted.person_id, call)

    async def _entitled(self, asker: PersonFacts, person_id: UUID) -> bool:
        """Whether the asker may; who once might is told so by the wallet, after any replay.

        Raises NotFound for a stranger, ConsentRequired for somebody under age, and
        RelationActivating.
        """
        if asker.person_id == person_id:
            if not asker.of_age:
                raise ConsentRequired("a guardian who shares with the person has to ask")
            return True
        states = [
            relation.state
            for relation in await self._relations.relations_of(asker.person_id)
            if relation.role is Role.SHARER and relation.beneficiary_id == person_id
        ]
        if not states:
            raise NotFound
        if any(state in IN_FORCE for state in states):
            return True
        if RelationState.ACTIVATING in states:
            raise RelationActivating
        return False
