"""Provinces that say what a test wants them to, beside the ones that the sandbox plays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from contracts.events import ClearingAnswered, ClearingPaid, Told
from contracts.topics import from_province
from kit.records import cloud_event_headers
from tests.support.town import Town
from tests.support.town_bus import Bus


@dataclass(frozen=True, slots=True, kw_only=True)
class Province:
    """One province; everything that it says of a month has been heard when it returns."""

    bus: Bus
    code: str
    period: str

    async def answers(self, answer: str, *, version: int = 1, event_id: str = "") -> None:
        told: dict[str, Any] = {"period": self.period, "version": version, "answer": answer}
        await self.says(ClearingAnswered(**told), event_id)

    async def pays(
        self,
        payee: str,
        amount_fen: int,
        *,
        payer: str = "",
        version: int = 1,
        tier: Any = "interprovince",
        event_id: str = "",
    ) -> str:
        """Say that it was paid; the event's id."""
        told = ClearingPaid(
            period=self.period,
            version=version,
            tier=tier,
            payer=payer or self.code,
            payee=payee,
            amount_fen=amount_fen,
            paid_on=date(2026, 12, 1),
        )
        return await self.says(told, event_id)

    async def says(self, told: Told, event_id: str = "") -> str:
        name = event_id or str(uuid4())
        headers = cloud_event_headers(
            id=name,
            type=told.TYPE,
            source=f"/provinces/{self.code}",
            subject=None,
            time=datetime.now(UTC),
            sequence=None,
            traceparent=None,
        )
        body = told.model_dump_json(by_alias=True).encode()
        await self.bus.write(from_province(self.code).name, self.period.encode(), body, headers)
        await self.bus.caught_up(within=40)
        return name


@asynccontextmanager
async def silent(town: Town, *provinces: str) -> AsyncIterator[None]:
    """The sandbox's provinces say nothing of months; in the end they say what they would have."""
    for province in provinces:
        await town.world.behave(province, clearing="silent")
    try:
        yield
    finally:
        for province in provinces:
            await town.world.behave(province)
