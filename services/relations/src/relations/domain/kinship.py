"""Whether they are relatives at all: a province is asked where the policy wants it (R13).

both consented --not wanted--> the wallet is told
               --wanted------> the province is asked, again and again --yes-----> the wallet is told
                                                                      --no------> declined
                                                                      --unknown-> a clerk looks
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from contracts import events, topics
from contracts.vocabulary import RelationState
from kit.answers import answer
from kit.refusal import NotFound, WrongState
from kit.work import Event
from policy.policy import Policy
from relations.domain.border import beneficiary_of, received_by, sharer_of
from relations.domain.commands import AskKinshipAgain, VerifyKinship
from relations.domain.decisions import NOTHING_NEW, Decision, StateEntered, refused
from relations.domain.people import People, Person
from relations.domain.relation import Inquiry, Kinship, Relation, Relations

MOST_TIMES = 8
"""How often a silent province is asked before a clerk has to look."""


def inquiry_of(
    relation: Relation,
    policy: Policy,
    *,
    now: datetime,
    today: date,
    new_id: Callable[[], UUID],
) -> Inquiry | None:
    """Whom to ask about two who have consented; None where neither area wants to know."""
    for pool in (relation.sharer_pool_admdvs, relation.beneficiary_pool_admdvs):
        if policy.at(pool, today).kinship_checked:
            return Inquiry(
                inquiry_id=new_id(),
                province=policy.province_of(pool, today),
                kinship="asked",
                asked_at=now,
                times=1,
            )
    return None


def asked(relation: Relation, beneficiary: Person) -> Event:
    """`kinship.asked` for the province of the inquiry."""
    inquiry = relation.inquiry
    assert inquiry is not None
    body = events.KinshipAsked(
        inquiry_id=inquiry.inquiry_id,
        sharer=sharer_of(relation),
        beneficiary=beneficiary_of(relation, beneficiary),
        kind=relation.kind,
    )
    topic = topics.to_province(inquiry.province)
    return events.event(topic, relation.relation_id, inquiry.inquiry_id, body)


def activated(relation: Relation, beneficiary: Person, now: datetime) -> Event:
    """`relation.activated` for the wallet to apply."""
    received = received_by(relation, beneficiary)
    body = events.RelationActivated(
        relation_id=relation.relation_id,
        kind=relation.kind,
        sharer=events.RelatedPerson(
            person_id=relation.sharer_id,
            psn_no=relation.sharer_psn_no,
            pool_admdvs=relation.sharer_pool_admdvs,
        ),
        beneficiary=events.RelatedPerson(
            person_id=relation.beneficiary_id,
            psn_no=received.psn_no,
            pool_admdvs=received.pool_admdvs,
        ),
        activated_at=now,
    )
    return events.event(topics.RELATION, relation.beneficiary_id, relation.relation_id, body)


def verify_kinship(
    people: People, relations: Relations, command: VerifyKinship, now: datetime
) -> Decision:
    """Apply a province's answer, or a clerk's; what is final once stays so."""
    relation = relations.by_inquiry(command.inquiry_id)
    if relation is None or relation.inquiry is None:
        return refused(NotFound("no kinship was asked for under this id"))
    inquiry = relation.inquiry
    if command.province not in (None, inquiry.province):
        return refused(NotFound("no kinship was asked of this province under this id"))
    if inquiry.kinship == command.answer:
        return NOTHING_NEW
    if inquiry.kinship in ("yes", "no") or not relation.awaits_kinship:
        return refused(WrongState("it is settled whether they are relatives"))
    told = replace(relation, inquiry=replace(inquiry, kinship=command.answer))
    relations.put(told)
    return _settled(people, relations, told, command.answer, now)


def _settled(
    people: People, relations: Relations, relation: Relation, said: Kinship, now: datetime
) -> Decision:
    if said == "no":
        declined = relation.entering(RelationState.DECLINED, now)
        relations.put(declined)
        entered = StateEntered(relation=declined, actor_id=None, happened_at=now)
        return Decision(answer=answer(200, {}), entered=(entered,))
    if said == "unknown":
        return Decision(answer=answer(200, {}))
    beneficiary = people.person(relation.beneficiary_id)
    assert beneficiary is not None
    return Decision(answer=answer(200, {}), events=(activated(relation, beneficiary, now),))


def ask_kinship_again(
    people: People, relations: Relations, command: AskKinshipAgain, now: datetime
) -> Decision:
    """The same question for a silent province; after enough of them it is for a clerk to answer."""
    relation = relations.by_inquiry(command.inquiry_id)
    assert relation is not None
    inquiry = relation.inquiry
    assert inquiry is not None
    if inquiry.times != command.times or inquiry.kinship != "asked" or not relation.awaits_kinship:
        return NOTHING_NEW
    if inquiry.times >= MOST_TIMES:
        relations.put(replace(relation, inquiry=replace(inquiry, kinship="unknown")))
        return Decision(answer=answer(200, {}))
    again = replace(relation, inquiry=replace(inquiry, asked_at=now, times=inquiry.times + 1))
    relations.put(again)
    beneficiary = people.person(relation.beneficiary_id)
    assert beneficiary is not None
    return Decision(answer=answer(200, {}), events=(asked(again, beneficiary),))
