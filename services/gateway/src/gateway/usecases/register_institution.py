"""Register an institution: who it is, where, and by which one or two keys it is known.

The file says it all: keys it does not name are retired, so that rotating a key is registering
twice, once with both keys and once with the new one. Registering again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.public import Institution
from contracts.vocabulary import Admdvs, Fact, FixmedinsCode, InstitutionKind, Text
from gateway.domain.decisions import Decision, answered, refused
from gateway.domain.institutions import PublicKey, Register, owner_of
from gateway.store import institutions as store
from kit.answers import answer
from kit.refusal import Refusal
from kit.transaction import Transaction


class NewKey(Fact):
    """A public key, SPKI PEM, and the name the institution signs with."""

    key_id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,100}$")]
    algorithm: str
    public_key_pem: Annotated[str, StringConstraints(max_length=2000)]


class RegisterInstitution(Fact):
    """One entry of an institutions file, which may say more than the gateway needs."""

    code: FixmedinsCode
    name: Text
    kind: InstitutionKind
    mdtrtarea_admvs: Admdvs
    wallet_enabled: bool
    keys: Annotated[tuple[NewKey, ...], Field(min_length=1, max_length=2, strict=False)]

    @property
    def owner(self) -> UUID:
        """The anchor of this institution."""
        return owner_of(self.code)


async def register_institution(
    tx: Transaction, commands: Sequence[RegisterInstitution], now: datetime
) -> list[Decision]:
    # Read. The door holds the locks of these institutions.
    register = Register(
        await store.keys_of(
            tx,
            [command.code for command in commands],
            [key.key_id for command in commands for key in command.keys],
        )
    )

    # Decide.
    decisions = [_decide(register, command) for command in commands]

    # Write. First what ends, because an institution has but two places for live keys.
    if register.institutions:
        await store.write_institutions(tx, list(register.institutions.values()), now)
    if retired := register.retired():
        await store.retire_keys(tx, retired, now)
    if begun := register.begun():
        await store.begin_keys(tx, begun, now)

    # Tell.
    return decisions


def _decide(register: Register, command: RegisterInstitution) -> Decision:
    institution = Institution(
        code=command.code,
        name=command.name,
        kind=command.kind,
        mdtrtarea_admvs=command.mdtrtarea_admvs,
        wallet_enabled=command.wallet_enabled,
    )
    keys = [
        PublicKey(key_id=key.key_id, algorithm=key.algorithm, public_key=key.public_key_pem)
        for key in command.keys
    ]
    try:
        register.register(institution, keys)
    except Refusal as refusal:
        return refused(refusal)
    return answered(answer(200, {"code": command.code, "keys": [key.key_id for key in keys]}))
