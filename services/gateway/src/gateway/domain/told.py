"""What a province tells of an institution (R27)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from gateway.domain.institutions import owner_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordInstitution:
    """Where it is, and whether it is designated and takes wallet payments, on these Beijing days.

    Without `valid_to` it holds until something else is told.
    """

    code: str
    name: str
    level: str
    mdtrtarea_admvs: str
    active: bool
    wallet_enabled: bool
    valid_from: date
    valid_to: date | None
    told_at: datetime

    @property
    def owner(self) -> UUID:
        """The anchor of this institution."""
        return owner_of(self.code)
