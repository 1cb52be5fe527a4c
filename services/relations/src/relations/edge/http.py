"""Relations over HTTP, for the gateway: commands in batches, persons and relations by id."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from contracts.commands import RelationsCommand
from contracts.internal import (
    Calls,
    FindPerson,
    GivenAnswers,
    IdentifyPerson,
    PersonFacts,
    RelationOfPerson,
    RelationsOfPerson,
)
from gm.identity_number import CertificateInvalid, check_certificate
from kit.answers import Answer
from kit.commands_http import CommandDesk
from kit.http import respond, service_token
from kit.json_body import described, read_body
from kit.refusal import Invalid, NotFound
from kit.transaction import Transaction
from policy.calendar import beijing_day
from policy.policy import Policy
from relations.domain.consent import of_age
from relations.domain.views import person_facts, relation_of_person
from relations.edge.identities import Identities
from relations.edge.room import CELL, Room
from relations.store.persons import (
    name_of_certificate,
    owners_anywhere,
    owners_of_certificates,
    owners_of_numbers,
    persons_by_id,
)
from relations.store.relations import relations_by_id, relations_of_person


def desk_of(room: Room, *, most: int, queue: int) -> CommandDesk:
    """Where calls wait for the next transaction."""
    return CommandDesk(
        calls=Calls[RelationsCommand],
        doors={CELL: room.door.perform},
        cell_of=lambda _call: CELL,
        anchors_of=room.anchors_of,
        most=most,
        queue=queue,
    )


def routes(room: Room, identities: Identities, desk: CommandDesk, token: str) -> APIRouter:
    router = APIRouter(prefix="/internal", dependencies=[Depends(service_token(token))])
    router.add_api_route(
        "/commands",
        desk.answer,
        methods=["POST"],
        summary="Perform commands, each with an answer of its own",
        response_model=GivenAnswers,
        openapi_extra=described(Calls[RelationsCommand]),
    )
    _add_persons(router, room, identities)
    _add_relations(router, room)
    return router


def _add_persons(router: APIRouter, room: Room, identities: Identities) -> None:
    @router.post(
        "/persons/identify",
        response_model=PersonFacts,
        openapi_extra=described(IdentifyPerson),
    )
    async def identify_person(request: Request) -> Response:
        """A person by certificate, and by name where one is given. 404 if they do not fit."""
        asked = await read_body(request, IdentifyPerson)
        try:
            certificate = check_certificate(asked.psn_cert_type, asked.cert_no)
        except CertificateInvalid as error:
            raise Invalid(f"cert_no: {error.reason}") from None
        index = identities.index(certificate)
        async with room.reading() as tx:
            person_id = (await owners_of_certificates(tx, [index])).get(index)
            if asked.name and person_id is not None:
                # Of who was merged the name stands with their own certificate.
                named = identities.name_index(certificate, asked.name)
                if named != await name_of_certificate(tx, index):
                    raise NotFound
            return await _facts(tx, identities, room.policy, person_id)

    @router.post("/persons/find", response_model=PersonFacts, openapi_extra=described(FindPerson))
    async def find_person(request: Request) -> Response:
        """A person by number; 404 also where the number alone means more than one."""
        asked = await read_body(request, FindPerson)
        async with room.reading() as tx:
            if asked.pool_admdvs is None:
                found = await owners_anywhere(tx, asked.psn_no)
            else:
                number = (asked.pool_admdvs, asked.psn_no)
                found = list((await owners_of_numbers(tx, [number])).values())
            only = found[0] if len(found) == 1 else None
            return await _facts(tx, identities, room.policy, only)


async def _facts(
    tx: Transaction,
    identities: Identities,
    policy: Policy,
    person_id: UUID | None,
) -> Response:
    if person_id is None:
        raise NotFound
    [person] = await persons_by_id(tx, [person_id])
    facts = person_facts(
        person,
        identities.name_masked(person.identity),
        is_of_age=of_age(person, policy, beijing_day(datetime.now(UTC))),
    )
    return respond(Answer(status=200, body=facts.model_dump_json()))


def _add_relations(router: APIRouter, room: Room) -> None:
    @router.get("/relations/{relation_id}", response_model=RelationOfPerson)
    async def read_relation(relation_id: UUID, person_id: UUID) -> Response:
        """A relation as one of its two persons sees it; 404 for everybody else."""
        async with room.reading() as tx:
            found = await relations_by_id(tx, [relation_id])
        role = found[0].role_of(person_id) if found else None
        if role is None:
            raise NotFound
        view = relation_of_person(found[0], role)
        return respond(Answer(status=200, body=view.model_dump_json()))

    @router.get("/relations", response_model=RelationsOfPerson)
    async def read_relations(person_id: UUID) -> Response:
        """All relations of a person, newest first."""
        async with room.reading() as tx:
            found = await relations_of_person(tx, person_id)
        views = RelationsOfPerson(
            items=tuple(
                relation_of_person(relation, role)
                for relation in found
                if (role := relation.role_of(person_id)) is not None
            )
        )
        return respond(Answer(status=200, body=views.model_dump_json()))
