"""Persons and where they are insured, and a batch's one mutable copy of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from contracts.vocabulary import EnrolmentEnd, EnrolmentStatus, Insutype

PERSONS = uuid5(NAMESPACE_URL, "urn:gongji:person")

SHARED_WITH = (Insutype.EMPLOYEE, Insutype.RESIDENT)
"""Schemes whose insured may take part, the one with an account first (R1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A certificate and a name as they are kept: found and compared by index, never read here."""

    psn_cert_type: str
    blind_index: bytes
    name_index: bytes
    key_id: str
    nonce: bytes
    ciphertext: bytes
    born_on: date | None

    def __repr__(self) -> str:
        return f"Identity(psn_cert_type={self.psn_cert_type!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Insured in a scheme of a pooling area under a number, as last told."""

    insutype: Insutype
    pool_admdvs: str
    psn_no: str
    status: EnrolmentStatus
    since: date
    told_at: datetime
    reason: EnrolmentEnd | None

    @property
    def name(self) -> tuple[Insutype, str, str]:
        return self.insutype, self.pool_admdvs, self.psn_no

    def is_newer_than(self, other: Enrolment) -> bool:
        """What holds from a later day; of two changes of one day, what was told later."""
        return (self.since, self.told_at) > (other.since, other.told_at)

    def says_the_same_as(self, other: Enrolment) -> bool:
        return replace(self, told_at=other.told_at) == other

    @property
    def insured(self) -> bool:
        """Whether its insured may take part in mutual aid now (R1)."""
        return self.status == "active" and self.insutype in SHARED_WITH

    @property
    def rank(self) -> tuple[bool, bool, bool, int, str, str]:
        """The largest stands for the person: insured first, employee before resident, latest."""
        return (
            self.insutype in SHARED_WITH,
            self.status == "active",
            self.insutype is Insutype.EMPLOYEE,
            self.since.toordinal(),
            self.pool_admdvs,
            self.psn_no,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person for ever; `version` grows with every change."""

    person_id: UUID
    version: int
    identity: Identity
    enrolments: tuple[Enrolment, ...]
    merged_into: UUID | None = None
    """Who this person turned out to be; then nothing of them changes any more."""

    @property
    def primary(self) -> Enrolment:
        """The enrolment that stands for the person."""
        assert self.enrolments, "nobody is known before they are insured somewhere"
        return max(self.enrolments, key=lambda enrolment: enrolment.rank)

    @property
    def employee(self) -> Enrolment | None:
        """The enrolment with a personal account, from which a sharer gives (R1)."""
        employed = [each for each in self.enrolments if each.insutype is Insutype.EMPLOYEE]
        return max(employed, key=lambda enrolment: enrolment.rank, default=None)

    def enrolment(self, name: tuple[Insutype, str, str]) -> Enrolment | None:
        return next((each for each in self.enrolments if each.name == name), None)

    def insured_by(self, enrolment: Enrolment, identity: Identity) -> Person:
        """The person after a change."""
        return replace(self.told_again(enrolment), version=self.version + 1, identity=identity)

    def merging_into(self, kept: Person) -> Person:
        return replace(self, version=self.version + 1, merged_into=kept.person_id)

    def told_again(self, enrolment: Enrolment) -> Person:
        """The person of whom nothing has changed but when it was told."""
        others = (each for each in self.enrolments if each.name != enrolment.name)
        return replace(self, enrolments=(*others, enrolment))


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """What a pooling area of a province calls a person."""

    pool_admdvs: str
    psn_no: str
    province: str
    person_id: UUID


def derived_person_id(identity: Identity) -> UUID:
    """The id of a person not seen before: two racing messages about one certificate agree on it.

    It stays the person's for ever, whatever becomes of the key of the index.
    """
    return uuid5(PERSONS, identity.blind_index.hex())


def number_anchor(pool_admdvs: str, psn_no: str) -> UUID:
    """What is locked for a number whose person is not known yet."""
    return uuid5(PERSONS, f"{pool_admdvs}\n{psn_no}")


@dataclass(slots=True, kw_only=True)
class People:
    """The persons of a batch: as read, and as they become.

    `locked` are those whose anchors the door holds; only they may change.
    """

    locked: Collection[UUID] = ()
    _read: dict[UUID, Person] = field(default_factory=dict)
    _now: dict[UUID, Person] = field(default_factory=dict)
    _certificates: dict[bytes, UUID] = field(default_factory=dict)
    _numbers: dict[tuple[str, str], UUID] = field(default_factory=dict)
    _new_numbers: list[Number] = field(default_factory=list)

    def read(
        self,
        persons: Iterable[Person],
        numbers: Mapping[tuple[str, str], UUID],
        certificates: Mapping[bytes, UUID] | None = None,
    ) -> None:
        """Persons, and whose these numbers and certificates are: of merged ones, another's."""
        for person in persons:
            self._read[person.person_id] = self._now[person.person_id] = person
            self._certificates.setdefault(person.identity.blind_index, person.person_id)
        self._numbers |= numbers
        self._certificates |= certificates or {}

    def known(self) -> set[UUID]:
        """Everybody in the batch."""
        return set(self._now)

    def person(self, person_id: UUID) -> Person | None:
        return self._now.get(person_id)

    def of_certificate(self, blind_index: bytes) -> Person | None:
        person_id = self._certificates.get(blind_index)
        return None if person_id is None else self._now[person_id]

    def of_number(self, pool_admdvs: str, psn_no: str) -> Person | None:
        person_id = self._numbers.get((pool_admdvs, psn_no))
        return None if person_id is None else self._now[person_id]

    def put(self, person: Person) -> None:
        assert person.person_id in self.locked, "a person changes only under their own lock"
        self._now[person.person_id] = person
        self._certificates.setdefault(person.identity.blind_index, person.person_id)

    def name(self, number: Number) -> None:
        """A person is called by this number from now on; nothing, if that is known."""
        key = number.pool_admdvs, number.psn_no
        if key not in self._numbers:
            self._numbers[key] = number.person_id
            self._new_numbers.append(number)
        assert self._numbers[key] == number.person_id, "a number is one person's"

    def new(self) -> Sequence[Person]:
        """Persons to be inserted."""
        return [person for key, person in self._now.items() if key not in self._read]

    def new_numbers(self) -> Sequence[Number]:
        return self._new_numbers

    def merged(self) -> Sequence[Person]:
        """Persons that were merged into others in this batch."""
        return [now for before, now in self.changed() if before.merged_into != now.merged_into]

    def changed(self) -> Sequence[tuple[Person, Person]]:
        """Persons to be updated: as read, and as they are now."""
        pairs = ((self._read[key], now) for key, now in self._now.items() if key in self._read)
        return [(before, now) for before, now in pairs if before.version != now.version]

    def changed_enrolments(self) -> Sequence[tuple[UUID, Enrolment]]:
        """Enrolments to be inserted or updated."""
        changed = []
        for key, now in self._now.items():
            before = self._read[key].enrolments if key in self._read else ()
            changed += [(key, each) for each in now.enrolments if each not in before]
        return changed
