"""Registrations for care away from home, and a batch's one mutable copy of them (R26)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """As told last for a person and an area; `times_told` counts what was told on."""

    person_id: UUID
    mdtrtarea_admvs: str
    valid_from: date
    valid_to: date
    told_at: datetime
    times_told: int

    @property
    def name(self) -> tuple[UUID, str]:
        return self.person_id, self.mdtrtarea_admvs

    def taken_over_by(self, person_id: UUID, own: Registration | None) -> Registration:
        """The same of the person that this one was merged into, who may have had an older one."""
        times_told = 1 if own is None else own.times_told + 1
        return replace(self, person_id=person_id, times_told=times_told)


@dataclass(slots=True, kw_only=True)
class Registrations:
    """The registrations of a batch's persons: as read, and as they become."""

    _now: dict[tuple[UUID, str], Registration] = field(default_factory=dict)
    _changed: set[tuple[UUID, str]] = field(default_factory=set)

    def read(self, registrations: Iterable[Registration]) -> None:
        self._now |= {each.name: each for each in registrations}

    def of(self, person_id: UUID, mdtrtarea_admvs: str) -> Registration | None:
        return self._now.get((person_id, mdtrtarea_admvs))

    def of_person(self, person_id: UUID) -> list[Registration]:
        """All of a person, by area."""
        names = sorted(name for name in self._now if name[0] == person_id)
        return [self._now[name] for name in names]

    def put(self, registration: Registration) -> None:
        self._now[registration.name] = registration
        self._changed.add(registration.name)

    def changed(self) -> Sequence[Registration]:
        return [self._now[name] for name in sorted(self._changed)]
