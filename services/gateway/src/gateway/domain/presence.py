"""A proved presence: who stood at which counter until when, in a token nobody else can make (R30).

The token is opaque to its holder (Fernet: AES-CBC and HMAC). Whether it has expired is not asked
here: the wallet decides that, after it has looked for a replay.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from contracts.refusals import PresenceExpired

MOST_REMEMBERED = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvedPresence:
    """`expires_at` is an instant in UTC; the token is good until then, as often as needed."""

    person_id: UUID
    institution: str
    psn_no: str
    pool_admdvs: str
    insutype: str
    expires_at: datetime


class PresenceSeal:
    """Makes and opens presence tokens. The first key seals, all of them open."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        # What was opened once is known by its whole token; what was refused is not remembered.
        self._opened = lru_cache(maxsize=MOST_REMEMBERED)(self._open)

    def seal(self, presence: ProvedPresence, now: datetime) -> str:
        content = orjson.dumps(presence, option=orjson.OPT_UTC_Z)
        return self._fernet.encrypt_at_time(content, int(now.timestamp())).decode()

    def open(self, token: str, institution: str) -> ProvedPresence:
        """Raises PresenceExpired for a token that is not ours or was given to another counter."""
        presence = self._opened(token)
        if presence.institution != institution:
            raise PresenceExpired("the presence was proved at another institution")
        return presence

    def _open(self, token: str) -> ProvedPresence:
        try:
            raw = token.encode("ascii")
            if urlsafe_b64encode(urlsafe_b64decode(raw)) != raw:
                raise PresenceExpired("the presence token is not one of ours")
            said = orjson.loads(self._fernet.decrypt(raw))
        except (InvalidToken, ValueError):
            raise PresenceExpired("the presence token is not one of ours") from None
        return ProvedPresence(
            person_id=UUID(said["person_id"]),
            institution=said["institution"],
            psn_no=said["psn_no"],
            pool_admdvs=said["pool_admdvs"],
            insutype=said["insutype"],
            expires_at=datetime.fromisoformat(said["expires_at"]),
        )
