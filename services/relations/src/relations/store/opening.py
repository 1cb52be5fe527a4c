"""Reading the persons and relations of a batch: the door holds the locks, so it stays true."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from contracts.vocabulary import RelationState
from kit.transaction import Transaction
from relations.domain.ending import MAY_END
from relations.domain.people import People
from relations.domain.relation import Relations
from relations.store.persons import owners_of_certificates, owners_of_numbers, persons_by_id
from relations.store.relations import (
    open_relations_of_sharers,
    relations_by_id,
    relations_by_inquiry,
    relations_of,
)

LIVING = tuple(sorted(MAY_END))
"""States in which an insurance may suspend or end a relation."""

UNENDED = (*LIVING, RelationState.PROPOSED)
"""Those, and those of which something may still become."""


async def open_people(
    tx: Transaction,
    person_ids: Collection[UUID],
    *,
    locked: Collection[UUID] = (),
    blind_indexes: Collection[bytes] = (),
    numbers: Collection[tuple[str, str]] = (),
) -> People:
    """These persons, and those who hold these certificates and numbers."""
    by_certificate = (
        await owners_of_certificates(tx, sorted(blind_indexes)) if blind_indexes else {}
    )
    by_number = await owners_of_numbers(tx, sorted(numbers)) if numbers else {}
    wanted = {*person_ids, *by_certificate.values(), *by_number.values()}
    people = People(locked=locked)
    people.read(await persons_by_id(tx, sorted(wanted)), by_number, by_certificate)
    return people


async def also_open(tx: Transaction, people: People, person_ids: Collection[UUID]) -> None:
    """More persons, who only look on: their locks are not held."""
    missing = set(person_ids) - people.known()
    if missing:
        people.read(await persons_by_id(tx, sorted(missing)), {})


async def open_guardians(
    tx: Transaction,
    people: People,
    relations: Relations,
    guardian_ids: Collection[UUID | None],
) -> None:
    """Guardians and what they give, from which a parent is known (R13)."""
    guardians = {guardian_id for guardian_id in guardian_ids if guardian_id is not None}
    if guardians:
        await also_open(tx, people, guardians)
        given = await open_relations_of_sharers(tx, sorted(guardians))
        relations.read(each for each in given if relations.relation(each.relation_id) is None)


async def open_relations(tx: Transaction, relation_ids: Sequence[UUID]) -> Relations:
    relations = Relations()
    relations.read(await relations_by_id(tx, sorted(set(relation_ids))))
    return relations


async def open_relations_asked_about(tx: Transaction, inquiry_ids: Sequence[UUID]) -> Relations:
    """Those that these inquiries are about."""
    relations = Relations()
    relations.read(await relations_by_inquiry(tx, sorted(set(inquiry_ids))))
    return relations


async def open_living_relations(tx: Transaction, persons: Collection[UUID]) -> Relations:
    """What these persons give or are given, and an insurance may suspend or end."""
    relations = Relations()
    relations.read(await relations_of(tx, sorted(persons), LIVING) if persons else [])
    return relations


async def open_unended_relations(tx: Transaction, persons: Collection[UUID]) -> Relations:
    """What these persons give or are given, and what has been proposed to or by them."""
    relations = Relations()
    relations.read(await relations_of(tx, sorted(persons), UNENDED))
    return relations


async def open_relations_given(tx: Transaction, sharer_ids: Sequence[UUID]) -> Relations:
    """All open relations in which these persons are the sharers."""
    relations = Relations()
    relations.read(await open_relations_of_sharers(tx, sorted(set(sharer_ids))))
    return relations
