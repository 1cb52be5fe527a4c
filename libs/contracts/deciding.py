"""Which rule decides a refusal, and what a kept answer says of a request, for explanations."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from contracts.internal import HistoryStep
from contracts.refusals import (
    CATALOGUE,
    AreaNotOpen,
    BillDoesNotAddUp,
    CaptureExceedsHold,
    ConsentRequired,
    ExceedsPersonalBurden,
    HoldExpired,
    InstitutionNotEnabled,
    KindNotEligible,
    NotInsured,
    PaymentNotCaptured,
    PaymentNotHeld,
    PresenceExpired,
    PurposeNotAllowed,
    QuotaInsufficient,
    RefundExceedsCapture,
    RegistrationRequired,
    RelationActivating,
    RelationExists,
    RelationNotActive,
    ReversalNotPossible,
    ReversalNotPossibleYet,
    SignatureInvalid,
    SignatureReplayed,
    WalletNotOpen,
)
from kit.refusal import Refusal, ReversedBeforeArrival, WrongState

RULES: Mapping[type[Refusal], tuple[str, ...]] = {
    SignatureInvalid: ("R28",),
    SignatureReplayed: ("R28",),
    PresenceExpired: ("R30",),
    ConsentRequired: ("R13",),
    NotInsured: ("R1", "R5"),
    AreaNotOpen: ("R29",),
    WalletNotOpen: ("R29",),
    RegistrationRequired: ("R26",),
    InstitutionNotEnabled: ("R27",),
    KindNotEligible: ("R2",),
    RelationExists: ("R4",),
    RelationNotActive: ("R3", "R5"),
    RelationActivating: ("R3",),
    QuotaInsufficient: ("R9", "R12"),
    ExceedsPersonalBurden: ("R11",),
    PurposeNotAllowed: ("R10",),
    BillDoesNotAddUp: ("R20",),
    PaymentNotHeld: ("R32",),
    HoldExpired: ("R32", "R33"),
    CaptureExceedsHold: ("R11",),
    PaymentNotCaptured: ("R22",),
    RefundExceedsCapture: ("R22",),
    ReversalNotPossible: ("R23",),
    ReversalNotPossibleYet: ("R23",),
    ReversedBeforeArrival: ("R23",),
    WrongState: ("R3", "R9"),
}
"""What is not here is decided by no rule of the domain: the request itself was at fault."""

_BY_NAME: Mapping[tuple[str, bool], type[Refusal]] = {
    (refusal.code(), refusal.retryable): refusal for refusal in CATALOGUE
}
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMED = ("payment_id", "refund_id", "relation_id", "quota_id")


def rules_of(code: str, *, retryable: bool = False) -> tuple[str, ...]:
    """The rules behind a refusal's code, the foremost first."""
    refusal = _BY_NAME.get((code, retryable)) or _BY_NAME.get((code, not retryable))
    return () if refusal is None else RULES.get(refusal, ())


def step_of_request(
    service: Literal["relations", "wallet", "gateway"],
    *,
    caller: str,
    key: str,
    status: int,
    body: str,
    at: datetime,
    rules: tuple[str, ...] = (),
) -> HistoryStep:
    """What became of a request, from the answer that is kept of it; `rules` of one that was done.

    Without a body the key was withdrawn before anything was asked under it (R23).
    """
    told = _read(body)
    known: dict[str, Any] = {
        "service": service,
        "at": at,
        "key": key,
        "seen_by": (caller,),
        **{name: UUID(told[name]) for name in _NAMED if isinstance(told.get(name), str)},
    }
    if not body:
        known |= {"type": "request.withdrawn", "state": "tombstoned", "rules": ("R23",)}
    elif status >= 400:
        known |= {
            "type": "request.refused",
            "refusal": told["code"],
            "detail": told["detail"],
            "rules": rules_of(told["code"], retryable=told["retryable"]),
        }
    else:
        known |= {
            "type": "request.answered",
            "state": told.get("state") or told.get("outcome"),
            "amount_fen": told.get("amount_fen"),
            "rules": rules,
        }
    return HistoryStep.model_validate(known)


def named_in(body: str) -> Collection[UUID]:
    """The things that a kept answer is about: those it names, or its path where it refuses."""
    told = _read(body)
    found = {UUID(told[name]) for name in _NAMED if isinstance(told.get(name), str)}
    return found | {UUID(text) for text in _ID.findall(str(told.get("instance", "")))}


def id_in(name: str) -> UUID | None:
    """The id that a name is, in any case; None where it is a key of another kind."""
    return UUID(name) if _ID.fullmatch(name.lower()) else None


def _read(body: str) -> dict[str, Any]:
    told = json.loads(body) if body else {}
    return told if isinstance(told, dict) else {}
