"""What all routes of a kind share: how their callers are known, and what may always be refused."""

from __future__ import annotations

from typing import Any

from contracts.internal import FindPerson, PersonFacts, citizen_caller
from contracts.refusals import (
    AreaNotOpen,
    BillDoesNotAddUp,
    ExceedsPersonalBurden,
    InstitutionNotEnabled,
    NotInsured,
    PresenceExpired,
    PurposeNotAllowed,
    QuotaInsufficient,
    RegistrationRequired,
    SignatureInvalid,
    SignatureReplayed,
    TokenInvalid,
    WalletNotOpen,
)
from gateway.edge.endpoint import Asked
from gateway.edge.relations import Relations
from gateway.edge.tokens import Citizen
from kit.refusal import Busy, Forbidden, Invalid, NotFound, Refusal, TooLarge, Unavailable

SIGNED = "signature"
OWN_KEY = "signature_by_own_key"
BEARER = "token"
CLEARING = "token_of_a_clerk_for_clearing"
CLEARING_OR_SIGNED = "token_of_a_clerk_for_clearing_or_signature"
PREFUNDS = "token_of_a_clerk_for_prefunds"
CONCERNED = "token_of_a_citizen_or_a_clerk_for_audit_or_signature"

CLEARING_ROLE = "clearing"
"""Of a clerk who may look at months, statements and prefunds, and move a month on."""
PREFUND_ROLE = "prefund"
"""Of a clerk who may look at prefunds."""
AUDIT_ROLE = "audit"
"""Of a clerk who may have everything explained."""

ALWAYS: tuple[type[Refusal], ...] = (Invalid, TooLarge, Busy, Unavailable)
SIGNED_REFUSALS: tuple[type[Refusal], ...] = (SignatureInvalid, SignatureReplayed, *ALWAYS)
CHARGE_REFUSALS: tuple[type[Refusal], ...] = (
    *SIGNED_REFUSALS,
    PresenceExpired,
    NotInsured,
    AreaNotOpen,
    WalletNotOpen,
    RegistrationRequired,
    InstitutionNotEnabled,
    QuotaInsufficient,
    ExceedsPersonalBurden,
    PurposeNotAllowed,
    BillDoesNotAddUp,
)
CITIZEN_REFUSALS: tuple[type[Refusal], ...] = (TokenInvalid, Forbidden, NotFound, *ALWAYS)
CLERK_REFUSALS: tuple[type[Refusal], ...] = (TokenInvalid, Forbidden, NotFound, *ALWAYS)


async def person_of(relations: Relations, asked: Asked[Citizen, Any]) -> PersonFacts:
    """The citizen who asks. Raises NotFound for somebody relations does not know."""
    citizen = asked.caller
    return await relations.find(FindPerson(psn_no=citizen.psn_no, pool_admdvs=citizen.pool_admdvs))


def caller_name(person: PersonFacts) -> str:
    """Under which name a citizen's receipts are kept."""
    return citizen_caller(person.person_id)
