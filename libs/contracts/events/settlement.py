"""What settlement tells: how far each month is, and how much of each prefund is used."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from contracts.events.base import Told
from contracts.vocabulary import Admdvs, Month, PeriodState, PrefundLevel, Signed, Total


class ClearingChanged(Told):
    """A month reached a state; `version` and `digest` are those of its statements, once issued."""

    TYPE = "clearing.changed.v1"
    period: Month
    state: PeriodState
    version: Annotated[int, Field(strict=True, ge=1)] | None = None
    digest: str | None = None
    at: datetime


class PrefundChanged(Told):
    """What the debtor province deposited with the creditor, and what of it is used, in fen."""

    TYPE = "prefund.changed.v1"
    debtor: Admdvs
    creditor: Admdvs
    amount_fen: Total
    used_fen: Signed
    level: PrefundLevel
    at: datetime


FROM_SETTLEMENT: tuple[type[Told], ...] = (ClearingChanged, PrefundChanged)
