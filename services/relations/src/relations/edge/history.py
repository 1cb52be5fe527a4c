"""`GET /internal/history/{name}`: what relations knows of an id or a key, for explanations."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from contracts.deciding import id_in, named_in, step_of_request
from contracts.internal import History, citizen_caller
from contracts.vocabulary import IdempotencyKey, Text
from kit.answers import Answer
from kit.http import respond, service_token
from kit.receipts import answers_about, answers_under
from kit.transaction import Transaction
from relations.domain.history import steps_of_inquiries, steps_of_person, steps_of_relations
from relations.edge.room import Room
from relations.store.history import enrolments_told, states_entered
from relations.store.registrations import registrations_of
from relations.store.relations import relations_by_id

MOST_STEPS = 500
MOST_ALSO = 200


def history(room: Room, token: str) -> APIRouter:
    router = APIRouter(prefix="/internal", dependencies=[Depends(service_token(token))])

    @router.get("/history/{name:path}", response_model=History)
    async def read_history(
        name: IdempotencyKey,
        caller: Text | None = None,
        also: Annotated[list[UUID], Query(max_length=MOST_ALSO)] = [],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """What happened to a relation or a person, or under a key; `also` are relations as well.

        `caller` limits whose keys are looked at. Nothing known is an empty history.
        """
        async with room.reading() as tx:
            found = await _history(tx, name, caller, also)
        return respond(Answer(status=200, body=found.model_dump_json()))

    return router


async def _history(tx: Transaction, name: str, caller: str | None, also: list[UUID]) -> History:
    kept = await answers_under(tx, name, caller, MOST_STEPS)
    ids = {*also, *(found for each in kept for found in named_in(each.body))}
    person_ids = [own] if (own := id_in(name)) is not None else []
    ids |= set(person_ids)
    entered = await states_entered(tx, ids, MOST_STEPS)
    relation_ids = sorted({each.relation_id for each in entered})
    persons = {each.sharer_id for each in entered} | {each.beneficiary_id for each in entered}
    callers = {(citizen_caller(each), each) for each in persons}
    known = await answers_about(tx, callers, relation_ids, MOST_STEPS)
    requests = {(each.caller, each.scope, each.key): each for each in (*kept, *known)}
    enrolments = await enrolments_told(tx, person_ids, MOST_STEPS)
    steps = [
        *steps_of_relations(entered),
        *steps_of_inquiries(await relations_by_id(tx, relation_ids)),
        *steps_of_person(enrolments, await registrations_of(tx, person_ids)),
    ]
    steps += [
        step_of_request(
            "relations",
            caller=each.caller,
            key=each.key,
            status=each.status,
            body=each.body,
            at=each.answered_at,
        )
        for each in requests.values()
    ]
    is_whole = max(len(entered), len(enrolments), len(known)) < MOST_STEPS
    return History(steps=tuple(steps), relations=tuple(relation_ids), is_whole=is_whole)
