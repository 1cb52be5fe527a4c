"""Relations between persons, and a batch's one mutable copy of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from contracts.vocabulary import RelationState, Role

Kinship = Literal["asked", "unknown", "yes", "no"]

OVER = frozenset({RelationState.ENDED, RelationState.DECLINED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Whether a province knows the two as relatives; `times` counts how often it was asked."""

    inquiry_id: UUID
    province: str
    kinship: Kinship
    asked_at: datetime
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Directed: the sharer gives, the beneficiary may spend; `kind` is what they are to the sharer.

    It rests on the sharer's employee enrolment and on the area where the beneficiary is insured.
    `sequence` counts the states it has entered; `ends_at` is there while it is not clear whether
    another scheme follows the one that lapsed.
    """

    relation_id: UUID
    sharer_id: UUID
    beneficiary_id: UUID
    kind: str
    state: RelationState
    proposed_by: Role
    commitment_version: str
    sharer_psn_no: str
    sharer_pool_admdvs: str
    beneficiary_pool_admdvs: str
    proposed_at: datetime
    changed_at: datetime
    sequence: int
    lapsed_on: date | None = None
    ends_at: datetime | None = None
    inquiry: Inquiry | None = None

    def __post_init__(self) -> None:
        assert self.sharer_id != self.beneficiary_id
        assert self.sequence >= 1

    @property
    def awaits_kinship(self) -> bool:
        """Whether the wallet was not told yet, because nobody knows that they are relatives."""
        if self.state is not RelationState.ACTIVATING or self.inquiry is None:
            return False
        return self.inquiry.kinship in ("asked", "unknown")

    @property
    def open(self) -> bool:
        return self.state not in OVER

    def role_of(self, person_id: UUID) -> Role | None:
        """The person's part in it; None for a stranger."""
        if person_id == self.sharer_id:
            return Role.SHARER
        return Role.BENEFICIARY if person_id == self.beneficiary_id else None

    def entering(self, state: RelationState, at: datetime) -> Relation:
        return replace(
            self,
            state=state,
            changed_at=at,
            sequence=self.sequence + 1,
            lapsed_on=None,
            ends_at=None,
        )

    def lapsing(self, lapsed_on: date, ends_at: datetime) -> Relation:
        """Suspended until it is clear whether another scheme follows."""
        return replace(self, lapsed_on=lapsed_on, ends_at=ends_at)

    def no_longer_lapsing(self) -> Relation:
        """A scheme goes on, though nothing may be used of it."""
        return replace(self, lapsed_on=None, ends_at=None)

    def other_than(self, person_id: UUID) -> UUID:
        """The other one of the two."""
        return self.beneficiary_id if person_id == self.sharer_id else self.sharer_id


@dataclass(slots=True, kw_only=True)
class Relations:
    """The relations of a batch: as read, and as they become."""

    _read: dict[UUID, Relation] = field(default_factory=dict)
    _now: dict[UUID, Relation] = field(default_factory=dict)
    _open: dict[tuple[UUID, UUID], UUID] = field(default_factory=dict)

    def read(self, relations: Iterable[Relation]) -> None:
        for relation in relations:
            self._read[relation.relation_id] = relation
            self.put(relation)

    def relation(self, relation_id: UUID) -> Relation | None:
        return self._now.get(relation_id)

    def by_inquiry(self, inquiry_id: UUID) -> Relation | None:
        """The relation that an inquiry is about."""
        return next(
            (
                each
                for each in self._now.values()
                if each.inquiry is not None and each.inquiry.inquiry_id == inquiry_id
            ),
            None,
        )

    def persons(self) -> set[UUID]:
        """Everybody who is in one of them."""
        return {
            person
            for each in self._now.values()
            for person in (each.sharer_id, each.beneficiary_id)
        }

    def of_person(self, person_id: UUID) -> list[Relation]:
        """Those of the batch in which a person takes part, in no order."""
        return [
            each
            for each in self._now.values()
            if person_id in (each.sharer_id, each.beneficiary_id)
        ]

    def between(self, sharer_id: UUID, beneficiary_id: UUID) -> Relation | None:
        """The open relation in this direction; there is at most one (R4)."""
        relation_id = self._open.get((sharer_id, beneficiary_id))
        return None if relation_id is None else self._now[relation_id]

    def given_by(self, sharer_id: UUID) -> int:
        """How many open relations a sharer has."""
        return sum(sharer == sharer_id for sharer, _ in self._open)

    def put(self, relation: Relation) -> None:
        self._now[relation.relation_id] = relation
        pair = (relation.sharer_id, relation.beneficiary_id)
        if relation.open:
            assert self._open.setdefault(pair, relation.relation_id) == relation.relation_id

    def new(self) -> Sequence[Relation]:
        return [each for key, each in self._now.items() if key not in self._read]

    def changed(self) -> Sequence[tuple[Relation, Relation]]:
        """Relations to be updated: as read, and as they are now."""
        pairs = ((self._read[key], now) for key, now in self._now.items() if key in self._read)
        return [(before, now) for before, now in pairs if before != now]
