"""The one cell of relations: its pool and its door, and whom a command concerns before locks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import orjson

from contracts.commands import (
    ConfirmRelation,
    DeclineRelation,
    EndRelation,
    ProposeRelation,
    RelationsCommand,
)
from contracts.internal import Call
from kit.answers import Answer
from kit.consume import Poison
from kit.perform import Door
from kit.postgres import Pool
from kit.reading import reading
from kit.refusal import Unavailable
from kit.transaction import Transaction
from kit.work import Broken, Job, Outcome
from policy.policy import Policy
from relations.domain.commands import (
    AskKinshipAgain,
    EndLapsed,
    MergePersons,
    RecordEnrolment,
    RecordRegistration,
    VerifyKinship,
)
from relations.domain.decisions import RELATIVES_CHANGED
from relations.domain.people import derived_person_id, number_anchor
from relations.domain.relation import Relation
from relations.store.ahead import enrolments_due
from relations.store.opening import LIVING, UNENDED
from relations.store.persons import (
    owners_in_provinces,
    owners_of_certificates,
    owners_of_numbers,
)
from relations.store.relations import (
    lapsed_relations,
    persons_of_relations,
    relations_by_inquiry,
    relatives_of,
    unanswered_relations,
)
from relations.usecases import usecases

CELL = 0
MOST_LOOKS = 5
MOST_SWEPT = 200
FIRST_SILENCE_SECONDS = 30
SWEPT = uuid5(NAMESPACE_URL, "urn:gongji:relations:swept")


class Room:
    """Where commands find their persons, then the door."""

    def __init__(self, pool: Pool, policy: Policy) -> None:
        self._pool = pool
        self.policy = policy
        self.door = Door(pool, CELL, usecases(policy))

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """A look without locks. Raises Unavailable."""
        return reading(self._pool, CELL)

    async def anchors_of(self, call: Call[RelationsCommand]) -> tuple[UUID, ...]:
        """Both persons of a relation; for one that does not exist, the asker alone."""
        match call.command:
            case ProposeRelation(proposer_id=proposer_id, counterpart_id=counterpart_id):
                return proposer_id, counterpart_id
            case (
                ConfirmRelation(relation_id=relation_id, person_id=person_id)
                | DeclineRelation(relation_id=relation_id, person_id=person_id)
                | EndRelation(relation_id=relation_id, person_id=person_id)
            ):
                async with self.reading() as tx:
                    persons = await persons_of_relations(tx, [relation_id])
                return persons.get(relation_id, (person_id,))

    async def perform(self, _cell: int, jobs: Sequence[Job]) -> list[Outcome]:
        """Perform what Kafka brought. A fact that cannot be taken in is parked."""
        outcomes = await self.door.perform(await self._with_persons(jobs))
        for _ in range(MOST_LOOKS):
            again = [n for n, outcome in enumerate(outcomes) if _looks_again(outcome)]
            if not again:
                return [_poison_if_unheard(outcome) for outcome in outcomes]
            redone = await self.door.perform(await self._with_persons([jobs[n] for n in again]))
            for n, outcome in zip(again, redone, strict=True):
                outcomes[n] = outcome
        raise Unavailable("relatives change faster than they can be locked")

    async def _with_persons(self, jobs: Sequence[Job]) -> list[Job]:
        jobs = await self._of_inquiries(await self._of_registrations(jobs))
        return await self._of_merges(await self._of_enrolments(jobs))

    async def _of_inquiries(self, jobs: Sequence[Job]) -> list[Job]:
        """Both persons of the relation that an inquiry is about."""
        about = (VerifyKinship, AskKinshipAgain)
        asked = [job.command.inquiry_id for job in jobs if isinstance(job.command, about)]
        if not asked:
            return list(jobs)
        async with self.reading() as tx:
            found = {
                relation.inquiry.inquiry_id: (relation.sharer_id, relation.beneficiary_id)
                for relation in await relations_by_inquiry(tx, asked)
                if relation.inquiry is not None
            }
        return [
            replace(job, anchors=found.get(job.command.inquiry_id, ()))
            if isinstance(job.command, about)
            else job
            for job in jobs
        ]

    async def _of_registrations(self, jobs: Sequence[Job]) -> list[Job]:
        """The one whom the province calls so; where it is not one, the job finds nobody."""
        told = [job.command for job in jobs if isinstance(job.command, RecordRegistration)]
        if not told:
            return list(jobs)
        async with self.reading() as tx:
            found = await owners_in_provinces(tx, [(e.province, e.psn_no) for e in told])
        return [
            _registering(job, found.get((job.command.province, job.command.psn_no), []))
            if isinstance(job.command, RecordRegistration)
            else job
            for job in jobs
        ]

    async def _of_enrolments(self, jobs: Sequence[Job]) -> list[Job]:
        told = [job.command for job in jobs if isinstance(job.command, RecordEnrolment)]
        if not told:
            return list(jobs)
        found = await self._persons_meant(told)
        async with self.reading() as tx:
            known = [person_id for person_id in found.values() if person_id is not None]
            relatives = await relatives_of(tx, known, LIVING)
        return [
            _locking(job, found[job.command], relatives)
            if isinstance(job.command, RecordEnrolment)
            else job
            for job in jobs
        ]

    async def _of_merges(self, jobs: Sequence[Job]) -> list[Job]:
        """Both persons of a merge, and everybody with whom they have a relation or may have."""
        merges = [job.command for job in jobs if isinstance(job.command, MergePersons)]
        if not merges:
            return list(jobs)
        async with self.reading() as tx:
            both = [person for each in merges for person in (each.merged_id, each.kept_id)]
            relatives = await relatives_of(tx, both, UNENDED)
        return [
            _merging(job, relatives) if isinstance(job.command, MergePersons) else job
            for job in jobs
        ]

    async def merge(self, merged_id: UUID, kept_id: UUID) -> Outcome:
        """A clerk has found that two persons are one."""
        command = MergePersons(merged_id=merged_id, kept_id=kept_id)
        [outcome] = await self.perform(
            CELL, [Job(command=command, command_id=uuid4(), anchors=(), instance="/clerk")]
        )
        return outcome

    async def review(self, inquiry_id: UUID, answer: Literal["yes", "no"]) -> Outcome:
        """A clerk has looked at proof of a kinship that a province does not know (R13)."""
        command = VerifyKinship(inquiry_id=inquiry_id, province=None, answer=answer)
        [outcome] = await self.perform(
            CELL, [Job(command=command, command_id=uuid4(), anchors=(), instance="/clerk")]
        )
        return outcome

    async def sweep(self) -> None:
        """Do what has fallen due: enrolments whose day has come, schemes that nothing followed."""
        async with self.reading() as tx:
            due = await enrolments_due(tx, MOST_SWEPT)
            lapsed = await lapsed_relations(tx, MOST_SWEPT)
            unanswered = await unanswered_relations(tx, FIRST_SILENCE_SECONDS, MOST_SWEPT)
        jobs = [_job_of_its_day(enrolment) for enrolment in due]
        jobs += [_job_of_its_deadline(relation) for relation in lapsed]
        jobs += [_job_of_its_silence(relation) for relation in unanswered]
        for job in jobs:
            # One by one: of a person's two enrolments the later one has to see the first.
            await self.perform(CELL, [job])

    async def _persons_meant(
        self, told: Sequence[RecordEnrolment]
    ) -> dict[RecordEnrolment, UUID | None]:
        """By certificate if there is one, else by number, else by number anywhere in the province.

        Whoever has a certificate that is new to us gets the id that it makes.
        """
        async with self.reading() as tx:
            certificates = await owners_of_certificates(
                tx, [each.identity.blind_index for each in told if each.identity]
            )
            bare = [each for each in told if each.identity is None]
            numbers = await owners_of_numbers(tx, [(e.pool_admdvs, e.psn_no) for e in bare])
            provinces = await owners_in_provinces(tx, [(e.province, e.psn_no) for e in bare])
        found: dict[RecordEnrolment, UUID | None] = {}
        for each in told:
            if each.identity is not None:
                known = certificates.get(each.identity.blind_index)
                found[each] = known or derived_person_id(each.identity)
                continue
            anywhere = provinces.get((each.province, each.psn_no), [])
            only = anywhere[0] if len(anywhere) == 1 else None
            found[each] = numbers.get((each.pool_admdvs, each.psn_no), only)
        return found


def _locking(job: Job, person_id: UUID | None, relatives: Mapping[UUID, frozenset[UUID]]) -> Job:
    command = job.command
    number = number_anchor(command.pool_admdvs, command.psn_no)
    if person_id is None:
        return replace(job, command=replace(command, person_id=None), anchors=(number,))
    locked = relatives.get(person_id, frozenset())
    return replace(
        job,
        command=replace(command, person_id=person_id, relatives=locked),
        anchors=(number, person_id, *locked),
    )


def _merging(job: Job, relatives: Mapping[UUID, frozenset[UUID]]) -> Job:
    both = (job.command.merged_id, job.command.kept_id)
    locked = frozenset(other for person in both for other in relatives.get(person, ()))
    return replace(job, command=replace(job.command, relatives=locked), anchors=(*both, *locked))


def _registering(job: Job, persons: Sequence[UUID]) -> Job:
    if len(persons) != 1:
        return job
    [person_id] = persons
    return replace(job, command=replace(job.command, person_id=person_id), anchors=(person_id,))


def _looks_again(outcome: Outcome) -> bool:
    return isinstance(outcome, Answer) and outcome == RELATIVES_CHANGED.answer


def _job_of_its_day(enrolment: RecordEnrolment) -> Job:
    words = (*map(str, enrolment.name), enrolment.told_at.isoformat())
    return Job(command=enrolment, command_id=uuid5(SWEPT, "\n".join(words)), anchors=())


def _job_of_its_deadline(relation: Relation) -> Job:
    assert relation.ends_at is not None
    words = (str(relation.relation_id), relation.ends_at.isoformat())
    return Job(
        command=EndLapsed(relation_id=relation.relation_id, ends_at=relation.ends_at),
        command_id=uuid5(SWEPT, "\n".join(words)),
        anchors=(relation.sharer_id, relation.beneficiary_id),
    )


def _job_of_its_silence(relation: Relation) -> Job:
    inquiry = relation.inquiry
    assert inquiry is not None
    return Job(
        command=AskKinshipAgain(inquiry_id=inquiry.inquiry_id, times=inquiry.times),
        command_id=uuid5(SWEPT, f"{inquiry.inquiry_id}\n{inquiry.times}"),
        anchors=(),
    )


def _poison_if_unheard(outcome: Outcome) -> Outcome:
    if not isinstance(outcome, Answer) or outcome.status < 400:
        return outcome
    reason = orjson.loads(outcome.body).get("reason")
    # An answer to nothing that was asked is refused by name and leaves its key alone.
    return outcome if reason is None else Broken(error=Poison(reason))
