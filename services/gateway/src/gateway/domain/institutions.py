"""Institutions and the keys by which they are known: at most two live at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import NAMESPACE_URL, UUID, uuid5

from contracts.public import Institution
from gateway.domain.sessions import PREFIX
from gm.signing import KeyUnusable, algorithm_named, verifying_key
from kit.refusal import Invalid, WrongState

SLOTS = (1, 2)


def owner_of(code: str) -> UUID:
    """The anchor of this institution: its keys and sessions are changed by one at a time."""
    return uuid5(NAMESPACE_URL, f"urn:gongji:institution:{code}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that an institution signs with; `public_key` is SPKI PEM."""

    key_id: str
    algorithm: str
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """A key as the register keeps it. A retired one stays, so that its id is never another's."""

    key: PublicKey
    institution: str
    slot: int
    live: bool


class Register:
    """Institutions and keys of a batch of registrations: the batch's one mutable copy."""

    def __init__(self, kept: Iterable[KeptKey]) -> None:
        self._before = {found.key.key_id: found for found in kept}
        self._keys = dict(self._before)
        self.institutions: dict[str, Institution] = {}

    def register(self, institution: Institution, keys: Sequence[PublicKey]) -> None:
        """Make the institution and its live keys what is said here; others of its keys retire.

        Raises Invalid for keys that cannot be, WrongState for a key id that is taken.
        """
        if not 1 <= len(keys) <= len(SLOTS):
            raise Invalid("an institution has one or two live keys")
        if len({key.key_id for key in keys}) != len(keys):
            raise Invalid("a key id stands twice")
        for key in keys:
            self._check(institution.code, key)

        wanted = {key.key_id for key in keys}
        for kept in self._live_of(institution.code):
            if kept.key.key_id not in wanted:
                self._keys[kept.key.key_id] = replace(kept, live=False)
        for key in keys:
            live = self._live_of(institution.code)
            if key.key_id not in {kept.key.key_id for kept in live}:
                free = min(set(SLOTS) - {kept.slot for kept in live})
                self._keys[key.key_id] = KeptKey(
                    key=key, institution=institution.code, slot=free, live=True
                )
        assert len(self._live_of(institution.code)) == len(keys)
        self.institutions[institution.code] = institution

    def _check(self, code: str, key: PublicKey) -> None:
        if key.key_id.startswith(PREFIX):
            raise Invalid(f"key {key.key_id}: only sessions are named so")
        try:
            if algorithm_named(key.algorithm).is_shared:
                raise Invalid(f"key {key.key_id}: {key.algorithm} has no public key")
            verifying_key(key.key_id, key.algorithm, key.public_key.encode())
        except KeyUnusable as why:
            raise Invalid(f"key {key.key_id}: {why}") from None
        kept = self._keys.get(key.key_id)
        if kept is not None and (kept.institution, kept.key) != (code, key):
            raise WrongState(f"the key id {key.key_id} has been given to another key")

    def _live_of(self, code: str) -> list[KeptKey]:
        return [kept for kept in self._keys.values() if kept.institution == code and kept.live]

    def retired(self) -> list[KeptKey]:
        """Keys that were live before the batch and are no more."""
        return [
            kept
            for key_id, kept in self._keys.items()
            if not kept.live and key_id in self._before and self._before[key_id].live
        ]

    def begun(self) -> list[KeptKey]:
        """Keys that are live now and were not before the batch."""
        return [
            kept
            for key_id, kept in self._keys.items()
            if kept.live and not (key_id in self._before and self._before[key_id].live)
        ]
