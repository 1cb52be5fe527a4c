"""Begin a session: a long key signs once, and a MAC that both sides can make signs from then on.

    institution's half ─┐
                        ├─ X25519 ── HKDF-SHA256 ──> the session's key, sealed in the database
    gateway's half ─────┘

The gateway's half is made here and forgotten here: what is recorded of the conversation opens no
session, even to somebody who later learns every long key.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.public import Session
from contracts.refusals import SignatureInvalid, TooManySessions
from gateway.domain.decisions import Decision, answered, refused
from gateway.domain.sessions import (
    ALGORITHM,
    PREFIX,
    BegunSession,
    SealedSession,
    SessionSeal,
    info_of,
)
from gateway.store import sessions as store
from gm.key_agreement import Half, LowOrderPoint
from kit.answers import Answer
from kit.refusal import Invalid, Refusal
from kit.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginSession:
    """`public` are the 32 bytes of the institution's half, `begun_by` the long key's id."""

    institution: str
    begun_by: str
    public: bytes


BeginsSession = Callable[[Transaction, Sequence[BeginSession], datetime], Awaitable[list[Decision]]]


def beginning_session(seal: SessionSeal, lifetime: timedelta, most: int) -> BeginsSession:
    """The use case; an institution has at most `most` live sessions of this `lifetime`."""

    async def begin_session(
        tx: Transaction, commands: Sequence[BeginSession], now: datetime
    ) -> list[Decision]:
        # Read. The door holds the locks of these institutions: no key of theirs retires meanwhile.
        live_keys = await store.live_long_keys(tx, [command.begun_by for command in commands])
        institutions = list({command.institution for command in commands})
        live = Counter(await store.live_sessions(tx, institutions, now))

        # Decide.
        begun: list[BegunSession] = []
        decisions: list[Decision] = []
        for command in commands:
            try:
                if (command.institution, command.begun_by) not in live_keys:
                    raise SignatureInvalid("the key has been retired")
                if live[command.institution] >= most:
                    raise TooManySessions(f"at most {most} sessions at a time")
                session, answer = _agreed(command, f"{PREFIX}{tx.new_id()}", seal, now, lifetime)
            except Refusal as refusal:
                decisions.append(refused(refusal))
                continue
            live[command.institution] += 1
            begun.append(session)
            decisions.append(answered(answer))

        # Write.
        if begun:
            await store.write_sessions(tx, begun)

        # Tell.
        return decisions

    return begin_session


def _agreed(
    command: BeginSession, key_id: str, seal: SessionSeal, now: datetime, lifetime: timedelta
) -> tuple[BegunSession, Answer]:
    ours = Half()
    try:
        key = ours.agree(command.public, info=info_of(key_id))
    except LowOrderPoint as why:
        raise Invalid(f"x25519_public_key: {why}") from None
    begun = BegunSession(
        sealed=SealedSession(
            key_id=key_id, begun_by=command.begun_by, sealed_key=seal.seal(key_id, key)
        ),
        institution=command.institution,
        begun_at=now,
        expires_at=now + lifetime,
    )
    told = Session(
        key_id=key_id,
        x25519_public_key=b64encode(ours.public).decode(),
        algorithm=ALGORITHM,
        expires_at=begun.expires_at,
    )
    return begun, Answer(status=201, body=told.model_dump_json())
