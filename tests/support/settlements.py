"""Settlement for tests: its real edge on a real database, and provinces that answer it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import orjson

from contracts import events
from contracts.vocabulary import Tier
from kit.answers import Answer
from kit.deliver import Delivery, Poll
from kit.health import Health
from kit.http import create_app
from kit.parking import Parking
from kit.perform import Door
from kit.postgres import Pool, open_pool, schema_of
from kit.records import Raw
from kit.work import Outcome
from policy.policy import Policy
from settlement.edge.http import routes
from settlement.edge.kafka import payments_reading, periods_reading, provinces_reading
from settlement.edge.room import Room
from settlement.store.audits import AUDITS
from tests.support.databases import connected
from tests.support.teller_wallet import TellerWallet, record_of

TOKEN = "the-service-token"
POLICY = Policy.load()
PAID_ON = date(2026, 12, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the gateway would pass on: the caller's status and body."""

    status: int
    text: str

    @property
    def body(self) -> Any:
        return orjson.loads(self.text)

    @property
    def code(self) -> str | None:
        return self.body.get("code")  # type: ignore[no-any-return] # JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event in settlement's outbox."""

    topic: str
    key: str
    type: str
    body: Any


class Clearing:
    """One process of settlement, and what a test does with it."""

    def __init__(self, pool: Pool, dsn: str, policy: Policy = POLICY) -> None:
        self.pool = pool
        self.dsn = dsn
        self.room = Room(pool, dsn, policy)
        self.parking = Parking(pool=pool)
        self.readings = {
            "wallet.payment": payments_reading(),
            "wallet.period": periods_reading(),
        }
        self.refused: list[str] = []
        app = create_app("settlement", health=Health())
        app.include_router(routes(self.room, TOKEN))
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://settlement",
            headers={"authorization": f"Bearer {TOKEN}"},
        )

    def delivery(self, topic: str) -> Delivery:
        reading = self.readings.get(topic) or provinces_reading()

        async def submit(cell: int, jobs: Sequence[Any]) -> list[Outcome]:
            outcomes = await self.room.perform(cell, jobs)
            self.refused += [
                str(orjson.loads(each.body)["code"])
                for each in outcomes
                if isinstance(each, Answer) and each.status >= 400
            ]
            return outcomes

        return Delivery(reading=reading, submit=submit, parking=self.parking)

    async def hear(self, raws: Iterable[Raw]) -> None:
        """Deliver records as one poll of their topic would, topic after topic."""
        by_topic: dict[str, list[Raw]] = {}
        for raw in raws:
            by_topic.setdefault(raw.topic, []).append(raw)
        for topic, of_topic in by_topic.items():
            await self.delivery(topic).deliver(Poll(pending=of_topic))

    async def hear_all(self, wallet: TellerWallet, period: str = "2026-11") -> None:
        """All that the wallet told since, and the cut of a month."""
        await self.hear(wallet.take())
        await self.hear(wallet.cut(period))

    async def said(
        self, province: str, body: events.Told, event_id: UUID | None = None
    ) -> str | None:
        """A province says something on its topic; the code of its refusal, if it was refused."""
        before = len(self.refused)
        key = getattr(body, "period", None) or province
        source = f"/provinces/{province}"
        await self.hear(
            [record_of(f"from.{province}", key, body, source=source, event_id=event_id)]
        )
        return self.refused[before] if len(self.refused) > before else None

    async def confirmed(self, *provinces: str, period: str = "2026-11") -> None:
        for province in provinces:
            assert await self.said(province, answered(period=period)) is None

    async def parked(self) -> list[str]:
        return [each.reason for each in await self.parking.all_waiting()]

    async def ask(self, path: str, **asked: Any) -> Given:
        """Ask an internal route that answers for the gateway's caller."""
        response = await self.http.post(f"/internal/{path}", json=asked)
        assert response.status_code == 200, response.text
        given = response.json()
        return Given(status=given["status"], text=given["body"])

    async def find(self, period: str = "2026-11") -> Given:
        return await self.ask("periods/find", period=period, instance=f"/v1/periods/{period}")

    async def state(self, period: str = "2026-11") -> str:
        return str((await self.find(period)).body["state"])

    async def issue(self, period: str = "2026-11") -> Given:
        instance = f"/v1/periods/{period}/issue"
        return await self.ask("periods/issue", period=period, instance=instance)

    async def close(self, period: str = "2026-11") -> Given:
        instance = f"/v1/periods/{period}/close"
        return await self.ask("periods/close", period=period, instance=instance)

    async def statement(self, tier: Tier, period: str = "2026-11", **of: str) -> Given:
        instance = f"/v1/periods/{period}/statements"
        return await self.ask("statements/find", period=period, tier=tier, instance=instance, **of)

    async def prefunds(self, limit: int = 100, after: str | None = None) -> Given:
        instance = "/v1/prefunds"
        return await self.ask("prefunds/find", limit=limit, after=after, instance=instance)

    async def prefund(self, debtor: str, creditor: str) -> tuple[int, int, int, str] | None:
        """Deposited, used, percent and level of a pair."""
        for each in (await self.prefunds()).body["items"]:
            if (each["debtor"], each["creditor"]) == (debtor, creditor):
                return (
                    each["amount_fen"],
                    each["used_fen"],
                    each["ratio_percent"],
                    each["level"],
                )
        return None

    async def told(self, kind: str) -> list[Told]:
        """Events of one type, in the order in which they were written."""
        rows = await self.pool.fetch(
            "SELECT topic, key, type, data FROM outbox WHERE type = $1 ORDER BY position", kind
        )
        return [
            Told(
                topic=row["topic"], key=row["key"], type=row["type"], body=orjson.loads(row["data"])
            )
            for row in rows
        ]

    async def states_told(self, period: str = "2026-11") -> list[str]:
        changes = await self.told(events.ClearingChanged.TYPE)
        return [each.body["state"] for each in changes if each.key == period]

    async def audited(self) -> None:
        """Each audit finds nothing, and each event has an id of its own."""
        for name, sql in AUDITS.items():
            assert await self.pool.fetch(sql) == [], name
        assert (
            await self.pool.fetch(
                "SELECT event_id FROM outbox GROUP BY event_id HAVING count(*) > 1"
            )
            == []
        )


@asynccontextmanager
async def clearing_on(
    dsn: str, *, size: int = 4, door: type[Door] = Door, policy: Policy = POLICY
) -> AsyncIterator[Clearing]:
    """A process of settlement with its connections open."""
    pool = await open_pool(dsn, schema=schema_of(0), size=size, application_name="test-settlement")
    try:
        one = Clearing(await connected(pool), dsn, policy)
        one.room.door.__class__ = door
        yield one
        await one.http.aclose()
    finally:
        await pool.close()


def answered(
    answer: str = "confirmed",
    *,
    period: str = "2026-11",
    version: int = 1,
    lines: Sequence[dict[str, Any]] | None = None,
) -> events.ClearingAnswered:
    return events.ClearingAnswered.model_validate(
        {"period": period, "version": version, "answer": answer, "lines": lines and tuple(lines)}
    )


def paid(
    payer: str,
    payee: str,
    amount: int,
    *,
    period: str = "2026-11",
    version: int = 1,
    tier: str = "interprovince",
    paid_on: date = PAID_ON,
) -> events.ClearingPaid:
    return events.ClearingPaid.model_validate(
        {
            "period": period,
            "version": version,
            "tier": tier,
            "payer": payer,
            "payee": payee,
            "amount_fen": amount,
            "paid_on": paid_on,
        }
    )


def topped_up(counterpart: str, amount: int) -> events.PrefundToppedUp:
    return events.PrefundToppedUp(counterpart=counterpart, amount_fen=amount)
