"""A citizen's relations: one proposes, the other confirms; strangers see nothing."""

from __future__ import annotations

from typing import Any

from contracts.commands import (
    ConfirmRelation,
    DeclineRelation,
    EndRelation,
    ProposeRelation,
    RelationsCommand,
)
from contracts.internal import Call, IdentifyPerson, PersonFacts
from contracts.public import ActingFor, Counterpart, NewRelation, Relation
from contracts.refusals import (
    AreaNotOpen,
    ConsentRequired,
    KindNotEligible,
    NotInsured,
    RelationExists,
    WalletNotOpen,
)
from gateway.domain.credentials import certificate_named
from gateway.edge.endpoint import Asked, Route
from gateway.edge.guardians import acting
from gateway.edge.relations import Relations
from gateway.edge.routes import BEARER, CITIZEN_REFUSALS, caller_name, person_of
from gateway.edge.tokens import Citizen
from gateway.edge.wallet import Wallet
from kit import tracing
from kit.answers import Answer
from kit.refusal import InProgress, KeyRequired, KeyReused, WrongState

KEYED = (*CITIZEN_REFUSALS, KeyRequired, KeyReused, InProgress)
ELIGIBILITY = (NotInsured, AreaNotOpen, WalletNotOpen, KindNotEligible, RelationExists)


class MyRelations:
    """What a citizen does with the own relations."""

    def __init__(self, *, relations: Relations, wallet: Wallet) -> None:
        self._relations = relations
        self._wallet = wallet

    def routes(self) -> list[Route]:
        return [*self._beginning(), *self._leaving()]

    def _beginning(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/me/relations",
                summary="Propose a relation; `kind` is what the beneficiary is to the sharer",
                authentication=BEARER,
                perform=self.propose,
                answers={201: Relation},
                body=NewRelation,
                needs_key=True,
                refusals=(*KEYED, ConsentRequired, *ELIGIBILITY),
            ),
            Route(
                method="POST",
                path="/v1/me/relations/{relation_id}/confirm",
                summary="Consent to a relation that the other one proposed",
                notes=(
                    "For somebody under the age of consent a guardian consents, `on_behalf_of` "
                    "the child: a parent, or the sharer, who may just confirm the own proposal."
                ),
                authentication=BEARER,
                perform=self.confirm,
                answers={202: Relation},
                body=ActingFor,
                needs_key=True,
                refusals=(*KEYED, ConsentRequired, *ELIGIBILITY, WrongState),
            ),
            Route(
                method="GET",
                path="/v1/me/relations/{relation_id}",
                summary="A relation as one of its two sees it",
                authentication=BEARER,
                perform=self.read,
                answers={200: Relation},
                refusals=CITIZEN_REFUSALS,
            ),
        ]

    def _leaving(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/me/relations/{relation_id}/decline",
                summary="Say no to what was proposed, or take a proposal back",
                authentication=BEARER,
                perform=self.decline,
                answers={200: Relation},
                body=ActingFor,
                needs_key=True,
                refusals=(*KEYED, ConsentRequired, WrongState),
            ),
            Route(
                method="POST",
                path="/v1/me/relations/{relation_id}/end",
                summary="End a relation, by the will of either",
                authentication=BEARER,
                perform=self.end,
                answers={202: Relation},
                body=ActingFor,
                needs_key=True,
                refusals=(*KEYED, ConsentRequired, WrongState),
                notes=(
                    "`ending` until the wallet has applied it, then `ended`. What is unused "
                    "returns to the sharer's account at once; what is held may still be captured "
                    "until it expires."
                ),
            ),
        ]

    async def propose(self, asked: Asked[Citizen, NewRelation]) -> Answer:
        wanted = asked.body
        other_certificate = _certificate_of(wanted.counterpart)
        given = await acting(self._relations, asked, wanted.on_behalf_of)
        person = given.person
        other = await self._relations.identify(other_certificate)
        own_wallet = await self._wallet.summary(person.person_id)
        other_wallet = await self._wallet.summary(other.person_id)
        command = ProposeRelation(
            proposer_id=person.person_id,
            counterpart_id=other.person_id,
            role=wanted.role,
            kind=wanted.kind,
            commitment_version=wanted.commitment_version,
            proposer_wallet_open=own_wallet.open,
            counterpart_wallet_open=other_wallet.open,
            guardian_id=given.guardian_id,
        )
        return await self._perform(asked, given.asker, command)

    async def confirm(self, asked: Asked[Citizen, ActingFor]) -> Answer:
        return await self._will(asked, ConfirmRelation)

    async def decline(self, asked: Asked[Citizen, ActingFor]) -> Answer:
        return await self._will(asked, DeclineRelation)

    async def end(self, asked: Asked[Citizen, ActingFor]) -> Answer:
        return await self._will(asked, EndRelation)

    async def _will(
        self,
        asked: Asked[Citizen, ActingFor],
        kind: type[ConfirmRelation | DeclineRelation | EndRelation],
    ) -> Answer:
        """What one of the two says of a relation, or who may speak for them (R13)."""
        given = await acting(self._relations, asked, asked.body.on_behalf_of)
        command = kind(
            relation_id=asked.ids["relation_id"],
            person_id=given.person.person_id,
            guardian_id=given.guardian_id,
        )
        return await self._perform(asked, given.asker, command)

    async def read(self, asked: Asked[Citizen, None]) -> Answer:
        person = await person_of(self._relations, asked)
        found = await self._relations.relation(asked.ids["relation_id"], person.person_id)
        shown = Relation(
            relation_id=found.relation_id, role=found.role, kind=found.kind, state=found.state
        )
        return Answer(status=200, body=shown.model_dump_json())

    async def _perform(
        self,
        asked: Asked[Citizen, Any],
        person: PersonFacts,
        command: RelationsCommand,
    ) -> Answer:
        call = Call[RelationsCommand](
            caller=caller_name(person),
            person_id=person.person_id,
            key=asked.key,
            fingerprint=asked.fingerprint.hex(),
            instance=asked.path,
            traceparent=tracing.current(),
            command=command,
        )
        return await self._relations.perform(call)


def _certificate_of(counterpart: Counterpart) -> IdentifyPerson:
    return certificate_named(
        counterpart.psn_cert_type, counterpart.cert_no, counterpart.name, "counterpart.cert_no"
    )
