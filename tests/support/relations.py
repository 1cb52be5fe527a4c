"""Relations for tests: its real edge on a real database, and provinces that tell it things."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx
import orjson

from kit.answers import Answer
from kit.commands_http import CommandDesk
from kit.health import Health
from kit.http import create_app
from kit.perform import Door
from kit.postgres import Pool, open_pool, schema_of
from kit.records import Raw, Routed
from kit.work import Broken, Outcome
from policy.policy import Policy
from relations.edge.http import desk_of, routes
from relations.edge.kafka import provinces_reading, wallet_reading
from relations.edge.room import Room
from relations.store.audits import AUDITS
from tests.support.databases import connected
from tests.support.places import LOCAL_POLICY
from tests.support.relations_told import (
    ALAR,
    BEIJING,
    INDEX_KEY,
    OWN_KEY,
    PROVINCE_KEYS,
    SHENZHEN,
    TOKEN,
    TOLD_AT,
    Somebody,
    enrolment,
    identities,
    identity_number,
    province_of,
    quota_ended,
    quota_opened,
    raw_of,
    registered,
    sealed,
    somebody,
    told,
)

__all__ = [
    "ALAR",
    "BEIJING",
    "INDEX_KEY",
    "OWN_KEY",
    "PROVINCE_KEYS",
    "SHENZHEN",
    "TOKEN",
    "TOLD_AT",
    "Given",
    "Registry",
    "Somebody",
    "call_of",
    "confirmation",
    "enrolment",
    "identities",
    "identity_number",
    "proposal",
    "province_of",
    "quota_ended",
    "quota_opened",
    "raw_of",
    "reason_of",
    "registered",
    "registry_on",
    "sealed",
    "somebody",
    "told",
    "wish",
]


class Registry:
    """One process of relations, and what a test does with it."""

    def __init__(self, pool: Pool, policy: Policy, door: type[Door]) -> None:
        self.pool = pool
        self.identities = identities()
        self.room = Room(pool, policy)
        self.room.door.__class__ = door
        self.desk: CommandDesk = desk_of(self.room, most=200, queue=4096)
        self.provinces = provinces_reading(self.identities, policy)
        self.wallet = wallet_reading()
        app = create_app("relations", health=Health())
        app.include_router(routes(self.room, self.identities, self.desk, TOKEN))
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://relations",
            headers={"authorization": f"Bearer {TOKEN}"},
        )

    async def hear(self, raw: Raw) -> Outcome:
        """Perform one record as the consumer would. Raises Poison."""
        reading = self.wallet if raw.topic == "wallet.quota" else self.provinces
        return await self.perform(reading.understand(raw))

    async def perform(self, routed: Routed | None) -> Outcome:
        assert routed is not None, "the record asks for nothing"
        [outcome] = await self.room.perform(routed.cell, [routed.job])
        return outcome

    async def tell(self, person: Somebody, told_at: datetime = TOLD_AT, **changes: Any) -> Outcome:
        """The person's province tells of an enrolment."""
        return await self.hear(told(person, told_at, **changes))

    async def known(self, person: Somebody, **changes: Any) -> Somebody:
        """Make somebody known; the same person with the id they got."""
        outcome = await self.tell(person, **changes)
        assert isinstance(outcome, Answer), outcome
        facts = await self.identify(person)
        assert facts.status_code == 200, facts.text
        return Somebody(**(vars(person) | {"person_id": UUID(facts.json()["person_id"])}))

    async def identify(self, person: Somebody, **changes: Any) -> httpx.Response:
        asked = {"psn_cert_type": "01", "cert_no": person.cert_no, "name": person.name} | changes
        return await self.http.post("/internal/persons/identify", content=orjson.dumps(asked))

    async def find(self, psn_no: str, pool_admdvs: str | None = None) -> httpx.Response:
        asked = {"psn_no": psn_no, "pool_admdvs": pool_admdvs}
        return await self.http.post("/internal/persons/find", content=orjson.dumps(asked))

    async def call(self, *calls: Mapping[str, Any]) -> list[Given]:
        response = await self.http.post(
            "/internal/commands", content=orjson.dumps({"calls": calls})
        )
        assert response.status_code == 200, response.text
        return [Given(**answer) for answer in response.json()["answers"]]

    async def propose(
        self, proposer: Somebody, counterpart: Somebody, key: str | None = None, **changes: Any
    ) -> Given:
        [given] = await self.call(proposal(proposer, counterpart, key, **changes))
        return given

    async def confirm(
        self, person: Somebody, relation_id: str, key: str | None = None, **changes: Any
    ) -> Given:
        [given] = await self.call(wish(person, "confirm_relation", relation_id, key, **changes))
        return given

    async def decline(
        self, person: Somebody, relation_id: str, key: str | None = None, **changes: Any
    ) -> Given:
        [given] = await self.call(wish(person, "decline_relation", relation_id, key, **changes))
        return given

    async def end(
        self, person: Somebody, relation_id: str, key: str | None = None, **changes: Any
    ) -> Given:
        [given] = await self.call(wish(person, "end_relation", relation_id, key, **changes))
        return given

    async def close(self, relation_id: str) -> Outcome:
        """The wallet has ended the quota of a relation."""
        [row] = await self.rows(
            "SELECT sharer_id, beneficiary_id FROM relation WHERE relation_id = $1",
            UUID(relation_id),
        )
        return await self.hear(quota_ended(UUID(relation_id), **row))

    async def day_comes(self) -> None:
        """The day of everything that was told ahead."""
        await self.pool.execute(
            "UPDATE enrolment_ahead SET since = (now() AT TIME ZONE 'Asia/Shanghai')::date"
        )

    async def patience_is_over(self) -> None:
        """The deadline of every scheme that lapsed."""
        await self.pool.execute(
            "UPDATE relation SET ends_at = clock_timestamp() WHERE ends_at IS NOT NULL"
        )

    async def states(self, relation_id: str) -> list[str]:
        """Every state that a relation has entered, in order."""
        rows = await self.rows(
            "SELECT state FROM relation_event WHERE relation_id = $1 ORDER BY sequence",
            UUID(relation_id),
        )
        return [row["state"] for row in rows]

    async def activate(self, relation_id: str) -> Outcome:
        [row] = await self.rows(
            "SELECT sharer_id, beneficiary_id FROM relation WHERE relation_id = $1",
            UUID(relation_id),
        )
        return await self.hear(quota_opened(UUID(relation_id), **row))

    async def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.pool.fetch(sql, *values)]

    async def told(self, type_: str) -> list[dict[str, Any]]:
        """What was put into the outbox, in its order."""
        rows = await self.pool.fetch(
            "SELECT data FROM outbox WHERE type = $1 ORDER BY position", type_
        )
        return [orjson.loads(row["data"]) for row in rows]

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All that relations keeps, for a test that nothing changed."""
        tables = (
            "person",
            "psn_number",
            "enrolment",
            "enrolment_event",
            "registration",
            "relation",
        )
        return {
            table: await self.rows(f"SELECT * FROM {table} ORDER BY {table}::text")
            for table in (*tables, "relation_event", "outbox")
        }

    async def audited(self) -> None:
        """No audit may find a row; every test ends with this."""
        for name, sql in AUDITS.items():
            assert await self.pool.fetch(sql) == [], name


@dataclass(frozen=True, kw_only=True)
class Given:
    """The answer to one call."""

    status: int
    body: str
    replayed: bool
    retry_after: int | None

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = orjson.loads(self.body)
        return parsed

    @property
    def code(self) -> str:
        """The refusal's code, or `201` and the like."""
        return str(self.json["code"]) if self.status >= 400 else str(self.status)


def call_of(person: Somebody, key: str | None, command: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "caller": f"citizen:{person.id}",
        "person_id": str(person.id),
        "key": key,
        "fingerprint": sha256(orjson.dumps(command)).hexdigest(),
        "instance": "/v1/me/relations",
        "command": command,
    }


def proposal(
    proposer: Somebody, counterpart: Somebody, key: str | None = None, **changes: Any
) -> dict[str, Any]:
    command = {
        "type": "propose_relation",
        "proposer_id": str(proposer.id),
        "counterpart_id": str(counterpart.id),
        "role": "sharer",
        "kind": "parent",
        "commitment_version": "1",
        "proposer_wallet_open": True,
        "counterpart_wallet_open": True,
    }
    return call_of(proposer, key, command | changes)


def confirmation(person: Somebody, relation_id: str, key: str | None = None) -> dict[str, Any]:
    return wish(person, "confirm_relation", relation_id, key)


def wish(
    person: Somebody, command: str, relation_id: str, key: str | None = None, **changes: Any
) -> dict[str, Any]:
    """What one of the two wants to become of a relation; a `guardian_id` says it for them."""
    wanted = {"type": command, "relation_id": relation_id, "person_id": str(person.id)}
    return call_of(person, key, wanted | changes)


def reason_of(outcome: Outcome) -> str:
    """Why a record is parked."""
    assert isinstance(outcome, Broken), outcome
    return str(getattr(outcome.error, "reason", type(outcome.error).__name__))


@asynccontextmanager
async def registry_on(
    dsn: str, *, size: int = 4, policy: Policy | None = None, door: type[Door] = Door
) -> AsyncIterator[Registry]:
    """One process' worth of relations on a migrated database."""
    pool = await connected(
        await open_pool(dsn, schema=schema_of(0), size=size, application_name="test-relations")
    )
    registry = Registry(pool, policy or Policy.load(LOCAL_POLICY), door)
    try:
        yield registry
    finally:
        await registry.http.aclose()
        await registry.desk.close()
        await pool.close()
