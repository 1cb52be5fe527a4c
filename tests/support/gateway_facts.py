"""What relations and wallet tell a gateway about one family, heard as its consumer would."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

from contracts import events, topics
from gateway.domain.happenings import RecordPayment, RecordQuota, RecordRelation
from gateway.edge.facts import facts_reading, keeping_progress
from gateway.usecases.record_payment import record_payment
from gateway.usecases.record_quota import record_quota
from gateway.usecases.record_relation import record_relation
from kit.answers import Answer
from kit.perform import Door
from kit.postgres import Pool
from kit.work import Outcome
from policy.calendar import beijing_day
from tests.support.gateway import Town
from tests.support.gateway_neighbours import HOSPITAL, Person
from tests.support.relations import raw_of

SHARER = Person(psn_no="44030000000000000002", cert_no="990000197503030027", name="王小明")
NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)
DAY = "2026-11-20"
BALANCES = {
    f"{book}_fen": amount
    for book, amount in (
        *(("granted", 500), ("available", 500), ("held", 0), ("spent", 0)),
        *(("restoring", 0), ("returned", 0)),
    )
}
RECEIPT = {
    "medfee_sumamt_fen": 300,
    "fund_pay_sumamt_fen": 0,
    "acct_pay_fen": 300,
    "acct_mulaid_pay_fen": 300,
    "psn_cash_pay_fen": 0,
}


class Teller:
    """Relations and wallet, as they tell about one family; the gateway hears it in order."""

    def __init__(self, pool: Pool, town: Town) -> None:
        self.pool = pool
        self.town = town
        self.me, self.sharer = town.person.person_id, SHARER.person_id
        self.relation_id, self.quota_id = uuid4(), uuid4()
        self._sequences = {topic.name: count(1) for topic in topics.ALL}
        self._door = Door(
            pool,
            0,
            {
                RecordRelation: record_relation,
                RecordQuota: record_quota,
                RecordPayment: record_payment,
            },
        )

    async def tell(
        self, told: type[events.Told], at: datetime = NOON, **body: Any
    ) -> tuple[Outcome, Any]:
        """What becomes of a record of this type, and the record."""
        kind = told.TYPE.partition(".")[0]
        topic = "relations.relation" if kind == "relation" else f"wallet.{kind}"
        raw = raw_of(
            topic,
            str(self.me),
            told.TYPE,
            json.dumps(body, default=str).encode(),
            source="/relations" if kind == "relation" else "/wallet/cell-0",
            told_at=at,
            sequence=next(self._sequences[topic]),
        )
        return await self.hear(raw), raw

    async def hear(self, raw: Any) -> Outcome:
        routed = facts_reading().understand(raw)
        assert routed is not None
        [outcome] = await self._door.perform([routed.job])
        return outcome

    async def relation(self) -> None:
        body = {"psn_no": "1", "pool_admdvs": "659002"}
        await self.tell(
            events.RelationActivated,
            relation_id=self.relation_id,
            kind="parent",
            sharer={"person_id": self.sharer, **body},
            beneficiary={"person_id": self.me, **body},
            activated_at=NOON.isoformat(),
        )

    async def quota(self, told: type[events.Told], **body: Any) -> None:
        named: dict[str, Any] = {"quota_id": self.quota_id, "relation_id": self.relation_id}
        if told in (events.QuotaOpened, events.QuotaEnded):
            named |= {"sharer_id": self.sharer, "beneficiary_id": self.me}
        if told is not events.QuotaOpened:
            balances = BALANCES | body.pop("balances", {})
            named |= {"balances": {"quota_id": self.quota_id, **balances}}
        await self.tell(told, **named, **body)

    async def payment(
        self, told: type[events.PaymentTold], at: datetime = NOON, **change: Any
    ) -> dict[str, Any]:
        name = told.TYPE.split(".")[1]
        amount = change.get("amount_fen", 300)
        body = {
            "payment_id": uuid4(),
            "person_id": self.me,
            "institution": HOSPITAL,
            "mdtrtarea_admvs": "659002",
            "insuplc_admdvs": "659002",
            "purpose": "outpatient",
            "business_date": beijing_day(at),
            "amount_fen": amount,
            "allocations": [
                {
                    "quota_id": self.quota_id,
                    "kind": "parent",
                    "sharer_admdvs": "440300",
                    "amount_fen": amount,
                }
            ],
            "balances": [{"quota_id": self.quota_id, **BALANCES}],
            "period": f"{beijing_day(at):%Y-%m}",
            "receipt": RECEIPT,
            "refund_id": uuid4(),
            "reverses": "capture",
            f"{name}_at": at.isoformat(),
            **change,
        }
        outcome, _ = await self.tell(told, at, **body)
        assert isinstance(outcome, Answer), outcome
        found = {"payment_id": str(body["payment_id"]), "institution": body["institution"]}
        self.town.neighbours.payments[found["payment_id"]] = found
        return body

    async def read(self, at: datetime, but: int = 0) -> None:
        """The consumer has come to this instant in all partitions but so many."""
        places = [
            (topic.name, n)
            for topic in (topics.RELATION, topics.QUOTA, topics.PAYMENT)
            for n in range(topic.partitions)
        ]
        await keeping_progress(self.pool)(dict.fromkeys(places[: len(places) - but], at))
