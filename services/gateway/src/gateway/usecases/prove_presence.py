"""Prove presence: the beneficiary's own credential, shown at this counter, gives a token (R30).

Who the credential belongs to was asked of relations before, because no lock may wait for
another service; here the token is made and the answer is kept for a replay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.internal import PersonFacts
from contracts.public import Presence, PresentPerson, PresentWallet
from gateway.domain.decisions import Decision, answered
from gateway.domain.presence import PresenceSeal, ProvedPresence
from kit.answers import Answer
from kit.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvePresence:
    """The person whose credential was shown, with the wallet's state, at an institution."""

    institution: str
    person: PersonFacts
    wallet: PresentWallet


ProvesPresence = Callable[
    [Transaction, Sequence[ProvePresence], datetime], Awaitable[list[Decision]]
]


def proving_presence(seal: PresenceSeal, lifetime: timedelta) -> ProvesPresence:
    """The use case, with the keys and the lifetime of its tokens."""

    async def prove_presence(
        _tx: Transaction, commands: Sequence[ProvePresence], now: datetime
    ) -> list[Decision]:
        return [answered(_prove(command, seal, now, now + lifetime)) for command in commands]

    return prove_presence


def _prove(
    command: ProvePresence, seal: PresenceSeal, now: datetime, expires_at: datetime
) -> Answer:
    enrolled = command.person.primary
    proved = ProvedPresence(
        person_id=command.person.person_id,
        institution=command.institution,
        psn_no=enrolled.psn_no,
        pool_admdvs=enrolled.pool_admdvs,
        insutype=enrolled.insutype,
        expires_at=expires_at,
    )
    presence = Presence(
        presence_token=seal.seal(proved, now),
        expires_at=expires_at,
        person=PresentPerson(
            person_id=command.person.person_id,
            psn_no=enrolled.psn_no,
            name_masked=command.person.name_masked,
            insutype=enrolled.insutype,
            insuplc_admdvs=enrolled.pool_admdvs,
            insured=enrolled.insured,
        ),
        wallet=command.wallet,
    )
    return Answer(status=201, body=presence.model_dump_json())
