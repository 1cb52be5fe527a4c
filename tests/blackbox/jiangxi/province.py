"""Jiangxi's provincial core, written from the contract alone: accounts, and answers over Kafka.

An order is carried out once; asked again under its id, the same answer is sent, under the same
event id. What an outsider would call a fault of the platform is kept in `faults`.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, RLock, Thread
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from tests.blackbox.jiangxi import asyncapi

JIANGXI = "360000"
Body = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Account:
    """Of an employee; `frozen` is by quota, all of it in fen."""

    pool_admdvs: str
    balance_fen: int
    frozen: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    gone: str = ""

    @property
    def books(self) -> tuple[int, int]:
        """Balance and what is frozen of it."""
        return self.balance_fen, sum(self.frozen.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    type: str
    key: str
    id: str
    source: str
    sequence: int
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    type: str
    key: str
    body: Body
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


IDS = {
    "account.freeze-requested.v1": "freeze_id",
    "account.unfreeze-ordered.v1": "order_id",
    "account.debit-ordered.v1": "order_id",
    "account.credit-ordered.v1": "order_id",
    "premium.requested.v1": "payment_id",
    "kinship.asked.v1": "inquiry_id",
}
"""What is answered, and the id that makes it the same again."""


class Province:
    """Reads `to.360000` in a thread of its own and answers on `from.360000`."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.accounts: dict[str, Account] = {}
        self.levies: dict[str, str] = {}
        self.kin: dict[tuple[str, str], str] = {}
        self.heard: list[Heard] = []
        self.faults: list[str] = []
        self.silent = False
        self._answers: dict[str, tuple[Body, Told]] = {}
        self._withheld: list[Told] = []
        self._lock, self._over = RLock(), Event()
        self._bootstrap, self._prefix = bootstrap, prefix
        # librdkafka's own partitioner is another one.
        settings: Body = {"acks": "all", "enable.idempotence": True, "partitioner": "murmur2"}
        self._producer = Producer({"bootstrap.servers": bootstrap, **settings})
        self._thread = Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Province:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)
        # It would look for the broker as long as it lives.
        del self._producer

    # What it says.

    def tell(self, event: str, key: str, body: Body) -> Told:
        told = Told(type=event, key=key, body=body)
        self.say(told)
        return told

    def say(self, told: Told) -> None:
        """Publish, and return once the broker has it; said again, it is the same event."""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": told.id,
            "ce_type": told.type,
            "ce_source": f"/provinces/{JIANGXI}",
            "ce_time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "content-type": "application/json",
        }
        asyncapi.check("fromProvince", headers, told.body)
        failed: list[object] = []
        self._producer.produce(
            self._prefix + asyncapi.topic("fromProvince", JIANGXI),
            key=told.key.encode(),
            value=json.dumps(told.body).encode(),
            headers=[(name, value.encode()) for name, value in headers.items()],
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        assert self._producer.flush(30) == 0
        assert failed == []

    def speak_again(self) -> None:
        """End the silence: what was decided meanwhile is answered late."""
        with self._lock:
            self.silent = False
            late, self._withheld = self._withheld, []
        for told in late:
            self.say(told)

    def answer_to(self, identity: str) -> Told | None:
        with self._lock:
            return self._answers[identity][1] if identity in self._answers else None

    # What it hears.

    def of(self, event: str, **wanted: object) -> list[Heard]:
        """What was heard of a type whose body holds all this, each event once."""
        with self._lock:
            found = [each for each in self.heard if each.type == event]
        fitting = [each for each in found if wanted.items() <= each.body.items()]
        return list({each.id: each for each in fitting}.values())

    def books(self, psn_no: str) -> tuple[int, int]:
        with self._lock:
            return self.accounts[psn_no].books

    def parked(self) -> list[str]:
        """What is on the topics for what could not be read or performed, and is of Jiangxi."""
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": "jiangxi-parked"})
        found: list[str] = []
        try:
            for service in asyncapi.contract()["channels"]["dead"]["parameters"]["service"]["enum"]:
                part = TopicPartition(f"{self._prefix}dead.{service}", 0, 0)
                consumer.assign([part])
                _, end = consumer.get_watermark_offsets(part, timeout=10)
                for message in consumer.consume(end, timeout=10) if end else []:
                    headers = dict(message.headers() or [])
                    if headers.get("ce_source") == f"/provinces/{JIANGXI}".encode():
                        found.append(f"{service}: {headers} {message.value()!r}"[:500])
        finally:
            consumer.close()
        return found

    def _listen(self) -> None:
        self.hear(self._over.is_set)

    def hear(self, over: Callable[[], bool]) -> None:
        """Read the topic from its beginning, as a new group does, until it is over."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": f"{self._prefix}jiangxi-{uuid.uuid4().hex[:8]}",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "topic.metadata.refresh.interval.ms": 500,
            }
        )
        consumer.subscribe([self._prefix + asyncapi.topic("toProvince", JIANGXI)])
        try:
            while not over():
                message = consumer.poll(0.1)
                if message is not None and message.error() is None:
                    self._take(message)
                    consumer.commit(message=message, asynchronous=False)
        finally:
            consumer.close()

    def _take(self, message: Message) -> None:
        listed = message.headers() or []
        headers = {
            str(name): value.decode()
            for name, value in dict(listed).items()
            if isinstance(value, bytes)
        }
        try:
            body = json.loads(message.value() or b"")
            asyncapi.check("toProvince", headers, body)
            told = self._decide(
                Heard(
                    type=headers["ce_type"],
                    key=(message.key() or b"").decode(),
                    id=headers["ce_id"],
                    source=headers["ce_source"],
                    sequence=int(headers["ce_sequence"]),
                    body=body,
                )
            )
        except Exception as fault:  # Whatever it is, the test that ends the module shows it.
            self.faults.append(f"{headers.get('ce_type')}: {fault!r}"[:500])
            return
        if told is not None:
            self.say(told)

    def _decide(self, heard: Heard) -> Told | None:
        """What is to be said at once; None where there is nothing, or not yet."""
        with self._lock:
            self.heard.append(heard)
            if heard.type not in IDS:
                return None
            identity = heard.body[IDS[heard.type]]
            if identity in self._answers:
                before, told = self._answers[identity]
                assert before == heard.body, "an id came again with another content"
            else:
                event, answer = self._obey(heard)
                person = heard.body.get("psn_no") or heard.body["sharer"]["psn_no"]
                told = Told(type=event, key=person, body=answer)
                self._answers[identity] = (heard.body, told)
            if self.silent:
                self._withheld.append(told)
                return None
            return told

    # What it does, once.

    def _obey(self, heard: Heard) -> tuple[str, Body]:
        match heard.type:
            case "account.freeze-requested.v1":
                return self._freeze(heard.body)
            case "account.unfreeze-ordered.v1":
                return self._unfreeze(heard.body)
            case "account.debit-ordered.v1":
                return self._debit(heard.body)
            case "account.credit-ordered.v1":
                return self._credit(heard.body)
            case "premium.requested.v1":
                return self._premium(heard.body)
        return self._kinship(heard.body)

    def _freeze(self, asked: Body) -> tuple[str, Body]:
        account, reason = self.accounts.get(asked["psn_no"]), ""
        if account is None or account.gone or account.pool_admdvs != asked["pool_admdvs"]:
            reason = "没有这个账户"
        elif account.balance_fen - sum(account.frozen.values()) < asked["amount_fen"]:
            reason = "账户余额不足"
        else:
            account.frozen[asked["quota_id"]] += asked["amount_fen"]
        told = {"freeze_id": asked["freeze_id"]}
        if reason:
            return "account.freeze-refused.v1", {**told, "reason": reason}
        return "account.freeze-confirmed.v1", told

    def _unfreeze(self, order: Body) -> tuple[str, Body]:
        self._move(order, balance_fen=0, frozen_fen=-order["amount_fen"])
        return "account.unfrozen.v1", {"order_id": order["order_id"]}

    def _debit(self, order: Body) -> tuple[str, Body]:
        self._move(order, balance_fen=-order["amount_fen"], frozen_fen=-order["amount_fen"])
        return "account.debited.v1", {"order_id": order["order_id"]}

    def _credit(self, order: Body) -> tuple[str, Body]:
        if gone := self.accounts[order["psn_no"]].gone:
            told = {"order_id": order["order_id"], "reason": gone}
            return "account.credit-refused.v1", told
        frozen_fen = order["amount_fen"] if order["freeze"] else 0
        self._move(order, balance_fen=order["amount_fen"], frozen_fen=frozen_fen)
        return "account.credited.v1", {"order_id": order["order_id"]}

    def _move(self, order: Body, *, balance_fen: int, frozen_fen: int) -> None:
        account = self.accounts[order["psn_no"]]
        assert account.pool_admdvs == order["pool_admdvs"]
        account.balance_fen += balance_fen
        account.frozen[order["quota_id"]] += frozen_fen
        assert account.balance_fen >= 0, "an overdraft was ordered"
        assert account.frozen[order["quota_id"]] >= 0, "more was ordered than is frozen"

    def _premium(self, asked: Body) -> tuple[str, Body]:
        """A premium: its levy is open, or it is not."""
        told = {"payment_id": asked["payment_id"], "levy_no": asked["levy_no"]}
        if self.levies.get(asked["levy_no"]) != asked["psn_no"]:
            return "premium.refused.v1", {**told, "reason": "没有这个征缴批次"}
        return "premium.accepted.v1", told

    def _kinship(self, asked: Body) -> tuple[str, Body]:
        """Kinship, as the register of households has it."""
        pair = asked["sharer"]["psn_no"], asked["beneficiary"]["psn_no"]
        answer = self.kin.get(pair, "unknown")
        return "kinship.answered.v1", {"inquiry_id": asked["inquiry_id"], "answer": answer}
