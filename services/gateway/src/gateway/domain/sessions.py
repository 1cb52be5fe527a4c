"""Sessions: a key that institution and gateway share for some hours, and how it is kept sealed.

begun --expires_at--------------> dead    by the database's clock
begun --its long key retired----> dead    also where that key comes back later
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

ALGORITHM: Final = "hmac-sm3"
PREFIX = "session-"
"""Of a session's key id: no institution's own key is named so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSession:
    """A session as it is kept: only `SessionSeal` knows the key in it."""

    key_id: str
    begun_by: str
    sealed_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunSession:
    """A session on its way to the database. Both instants are in UTC."""

    sealed: SealedSession
    institution: str
    begun_at: datetime
    expires_at: datetime


class SealBroken(Exception):
    """What is kept was not sealed by a key of ours, or for another session."""


class SessionSeal:
    """Seals and opens the keys of sessions. The first key seals, all of them open.

    The keys are those of presence tokens; what is sealed says what it is, so that neither is ever
    taken for the other.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, key_id: str, key: bytes) -> str:
        return self._fernet.encrypt(info_of(key_id) + b"\n" + key).decode()

    def open(self, session: SealedSession) -> bytes:
        """The key. Raises SealBroken."""
        try:
            content = self._fernet.decrypt(session.sealed_key.encode())
        except InvalidToken:
            raise SealBroken(session.key_id) from None
        said, newline, key = content.partition(b"\n")
        if said != info_of(session.key_id) or not newline:
            raise SealBroken(session.key_id)
        return key


def info_of(key_id: str) -> bytes:
    """What a session's key is bound to when it is derived (contract §2)."""
    return f"gongji session {key_id}".encode()
