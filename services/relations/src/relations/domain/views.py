"""What is shown of persons and relations: never a number, a name only masked."""

from __future__ import annotations

from contracts import internal, public
from contracts.vocabulary import Role
from kit.answers import Answer, answer
from relations.domain.people import Enrolment, Person
from relations.domain.relation import Relation


def relation_answer(status: int, relation: Relation, role: Role) -> Answer:
    """The relation as one of its two persons sees it."""
    view = public.Relation(
        relation_id=relation.relation_id, role=role, kind=relation.kind, state=relation.state
    )
    return answer(status, view.model_dump(mode="json"))


def relation_of_person(relation: Relation, role: Role) -> internal.RelationOfPerson:
    return internal.RelationOfPerson(
        relation_id=relation.relation_id,
        role=role,
        kind=relation.kind,
        state=relation.state,
        sharer_id=relation.sharer_id,
        beneficiary_id=relation.beneficiary_id,
    )


def person_facts(person: Person, name_masked: str, *, is_of_age: bool) -> internal.PersonFacts:
    employee = person.employee
    return internal.PersonFacts(
        person_id=person.person_id,
        version=person.version,
        primary=_enrolled(person.primary),
        employee=None if employee is None else _enrolled(employee),
        name_masked=name_masked,
        born_on=person.identity.born_on,
        of_age=is_of_age,
    )


def _enrolled(enrolment: Enrolment) -> internal.Enrolled:
    return internal.Enrolled(
        psn_no=enrolment.psn_no,
        pool_admdvs=enrolment.pool_admdvs,
        insutype=enrolment.insutype,
        insured=enrolment.insured,
    )
