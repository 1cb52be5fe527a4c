"""A quote that was given: to whom, about whom, and for what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.public import Bill
from contracts.vocabulary import Purpose

Fault = Literal["unknown", "different"]
"""Why a payment may not name a quote: there is none, or it was for something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenQuote:
    """`asked` stands for purpose and bill; `expires_at` is an instant in UTC."""

    quote_id: UUID
    institution: str
    person_id: UUID
    asked: bytes
    expires_at: datetime

    def fault(self, institution: str, person_id: UUID, asked: bytes) -> Fault | None:
        """What is wrong with naming it for this; another's is as good as none."""
        if (self.institution, self.person_id) != (institution, person_id):
            return "unknown"
        return None if self.asked == asked else "different"


def subject_of(purpose: Purpose, bill: Bill) -> bytes:
    """The same for the same purpose and a bill that says the same."""
    text = f"{purpose}\n{bill.model_dump_json(exclude_defaults=True)}"
    return hashlib.sha256(text.encode()).digest()
