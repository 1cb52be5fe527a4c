"""The people of the stories: citizens with tokens, counters that sign, the sandbox behind them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import httpx
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.blackbox.messages import SessionKey, Signing, half_of, sign, verify_answer
from tests.blackbox.stack import InstitutionKey, Stack
from tests.blackbox.until import SETTLED_SECONDS, until

SHENZHEN, GUANGDONG = "440300", "440000"
ALAR, XPCC = "659002", "660000"

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The refusal's code; "" for a success."""
        return str(self.json["code"]) if self.status >= 400 else ""

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotency-replayed") == "true"

    def of(self, status: int) -> Any:
        """The JSON of an answer that has to have this status."""
        assert self.status == status, f"{self.status} instead of {status}: {self.body[:600]!r}"
        return self.json

    def refused(self, code: str, status: int) -> None:
        """Assert a refusal as contract §4 describes it."""
        assert self.status == status, f"{self.status} instead of {status}: {self.body[:600]!r}"
        assert self.headers["content-type"].startswith("application/problem+json")
        told = self.json
        assert told["code"] == code, told
        assert told["status"] == status
        assert all(told[name] for name in ("type", "title", "title_zh", "detail", "instance"))
        assert isinstance(told["retryable"], bool)


def new_key() -> str:
    return f"bb-{uuid.uuid4()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    stack: Stack
    http: httpx.Client

    def send(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        given = self.http.request(method, url, content=body, headers=headers)
        return Answer(status=given.status_code, headers=given.headers, body=given.content)

    def sandbox(self, method: str, path: str, told: object = None) -> Any:
        body = None if told is None else json.dumps(told).encode()
        answer = self.send(
            method, self.stack.url("sandbox") + path, body, {"content-type": JSON} if body else {}
        )
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body[:600]!r}"
        return answer.json if answer.body else None

    def person(
        self, area: str = SHENZHEN, *, insutype: str = "310", balance_fen: int = 0, **more: Any
    ) -> Citizen:
        """Somebody new, whom the platform knows; the wallet is not open."""
        told = {"insutype": insutype, "insuplc_admdvs": area, "balance_fen": balance_fen, **more}
        made = self.sandbox("POST", "/people", told)
        token = self.sandbox("POST", "/tokens", {"psn_no": made["psn_no"]})["token"]
        return Citizen(world=self, told=made, token=token)

    def citizen(self, area: str = SHENZHEN, **more: Any) -> Citizen:
        """Somebody new with an open wallet."""
        person = self.person(area, **more)
        person.open_wallet()
        return person

    def clerk(self, *roles: str, name: str = "林清算") -> Clerk:
        token = self.sandbox("POST", "/tokens", {"clerk": name, "roles": list(roles)})["token"]
        return Clerk(world=self, token=token)

    def counter(self, kind: str) -> Counter:
        return Counter(world=self, key=self.stack.institution(kind))

    def account(self, province: str, psn_no: str) -> dict[str, int]:
        told: dict[str, int] = self.sandbox("GET", f"/provinces/{province}/accounts/{psn_no}")
        return told

    def family(
        self, *, available_fen: int = 100_000, balance_fen: int = 500_000, kind: str = "parent"
    ) -> Family:
        """An employee in Shenzhen and a parent in Alar, with this much spendable."""
        sharer = self.citizen(SHENZHEN, balance_fen=balance_fen)
        beneficiary = self.citizen(ALAR, insutype="390")
        relation_id = sharer.relate("sharer", beneficiary, kind)
        quota_id = sharer.raise_quota(relation_id, available_fen)
        return Family(
            sharer=sharer, beneficiary=beneficiary, relation_id=relation_id, quota_id=quota_id
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Somebody with a token."""

    world: World
    token: str = field(repr=False)

    def ask(self, method: str, path: str, told: object = None, *, key: str | None = None) -> Answer:
        headers = {"authorization": f"Bearer {self.token}"}
        if method == "POST":
            headers["idempotency-key"] = key or new_key()
        if told is not None:
            headers["content-type"] = JSON
        body = None if told is None else json.dumps(told).encode()
        return self.world.send(method, self.world.stack.url("gateway") + path, body, headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk(Bearer):
    """Somebody of an agency; the token says what the clerk may do."""

    def step(self, month: str, verb: str, *, key: str | None = None) -> Answer:
        """Cut, issue or close a month."""
        return self.ask("POST", f"/v1/periods/{month}/{verb}", {}, key=key)

    def state(self, month: str) -> str:
        return str(self.ask("GET", f"/v1/periods/{month}").of(200)["state"])

    def becomes(self, month: str, *states: str, seconds: float = SETTLED_SECONDS) -> None:
        """Wait until a month is in one of these states."""
        until(lambda: self.state(month) in states, f"{month} is {' or '.join(states)}", seconds)

    def statement(self, month: str, tier: str, **of: str) -> Answer:
        query = urlencode({"tier": tier, **of})
        return self.ask("GET", f"/v1/periods/{month}/statements?{query}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Citizen(Bearer):
    told: dict[str, Any]

    @property
    def psn_no(self) -> str:
        return str(self.told["psn_no"])

    def open_wallet(self) -> Answer:
        answer = self.ask("POST", "/v1/me/wallet", {})
        assert answer.status in (200, 201), answer.body
        assert answer.json["open"] is True
        return answer

    def wallet(self) -> dict[str, Any]:
        told: dict[str, Any] = self.ask("GET", "/v1/me/wallet").of(200)
        return told

    def counterpart(self) -> dict[str, str]:
        return {name: self.told[name] for name in ("psn_cert_type", "cert_no", "name")}

    def propose(self, role: str, other: Citizen, kind: str = "parent", **change: Any) -> Answer:
        told = {
            "role": role,
            "counterpart": other.counterpart(),
            "kind": kind,
            "commitment_version": "1",
            **change,
        }
        return self.ask("POST", "/v1/me/relations", told)

    def relate(self, role: str, other: Citizen, kind: str = "parent") -> str:
        """Propose, let the other one confirm, wait until active; returns the relation's id."""
        proposed = self.propose(role, other, kind).of(201)
        assert proposed["state"] == "proposed"
        relation_id = str(proposed["relation_id"])
        confirmed = other.ask("POST", f"/v1/me/relations/{relation_id}/confirm", {})
        assert confirmed.of(202)["state"] in ("activating", "active")
        until(lambda: self.relation(relation_id)["state"] == "active", "the relation is active")
        return relation_id

    def relation(self, relation_id: str) -> dict[str, Any]:
        told: dict[str, Any] = self.ask("GET", f"/v1/me/relations/{relation_id}").of(200)
        return told

    def set_quota(self, relation_id: str, available_fen: int) -> Answer:
        path = f"/v1/me/relations/{relation_id}/quota"
        return self.ask("PUT", path, {"available_fen": available_fen})

    def raise_quota(self, relation_id: str, available_fen: int) -> str:
        """Set what shall be spendable and wait until the province has frozen it."""
        told = self.set_quota(relation_id, available_fen).of(202)
        assert told["state"] in ("freezing", "active")
        quota = until(
            lambda: self._granted(told["quota_id"], available_fen), "the province has frozen it"
        )
        return str(quota["quota_id"])

    def _granted(self, quota_id: str, available_fen: int) -> dict[str, Any] | None:
        quota = self.quota(quota_id)
        done = quota["state"] == "active" and quota["available_fen"] == available_fen
        return quota if done else None

    def quotas(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.ask("GET", "/v1/me/quotas").of(200)["items"]
        return items

    def quota(self, quota_id: str) -> dict[str, Any]:
        return next(quota for quota in self.quotas() if quota["quota_id"] == quota_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    sharer: Citizen
    beneficiary: Citizen
    relation_id: str
    quota_id: str

    def available(self) -> int:
        return int(self.beneficiary.quota(self.quota_id)["available_fen"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """An institution's system: it signs what it sends and verifies what it gets."""

    world: World
    key: InstitutionKey
    signing: Mapping[str, Any] = field(default_factory=dict)
    session: SessionKey | None = None

    def signing_as(self, **change: Any) -> Counter:
        return replace(self, signing={**self.signing, **change})

    def begin(self, ours: X25519PrivateKey, key: str | None = None) -> Answer:
        return self.post("/v1/sessions", {"x25519_public_key": half_of(ours)}, key)

    def in_session(self, told: Mapping[str, Any], ours: X25519PrivateKey) -> Counter:
        """The same counter, signing with the session that this answer to our half began."""
        session = SessionKey.derived(ours, told["x25519_public_key"], told["key_id"])
        signing = self.signing_as(key_id=session.key_id, private_key=session)
        return replace(signing, session=session)

    def begun(self) -> Counter:
        """The same counter in a session of its own."""
        ours = X25519PrivateKey.generate()
        return self.in_session(self.begin(ours).of(201), ours)

    def headers(
        self, method: str, path: str, body: bytes, key: str | None, more: Mapping[str, str] = {}
    ) -> dict[str, str]:
        headers = dict(more)
        if body:
            headers.setdefault("content-type", JSON)
        if key is not None:
            headers["idempotency-key"] = key
        given = {"key_id": self.key.key_id, "private_key": self.key.private_key, **self.signing}
        uri = self.world.stack.url("gateway") + path
        return sign(Signing(**given), method=method, uri=uri, headers=headers, body=body)

    def send(self, method: str, path: str, body: bytes = b"", key: str | None = None) -> Answer:
        """Send raw bytes, signed; every answer but a 401 has to be signed by the gateway.

        In a session by the session's own key, where the gateway got as far as to verify it.
        """
        headers = self.headers(method, path, body, key)
        url = self.world.stack.url("gateway") + path
        answer = self.world.send(method, url, body or None, headers)
        if answer.status != 401:
            verify_answer(
                self.session or self.world.stack.gateway_key(),
                key_id=self.session.key_id if self.session is not None else None,
                status=answer.status,
                headers=answer.headers,
                body=answer.body,
                request=headers,
            )
        return answer

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, told: object, key: str | None = None) -> Answer:
        return self.send("POST", path, json.dumps(told).encode(), key or new_key())

    def presence(self, person: Citizen) -> Answer:
        """Presence proved by the person's e-certificate."""
        code = self.world.sandbox("POST", "/ec-codes", {"psn_no": person.psn_no})["value"]
        return self.post("/v1/presences", {"credential": {"type": "e_certificate", "value": code}})

    def token(self, person: Citizen) -> str:
        return str(self.presence(person).of(201)["presence_token"])

    def pay(self, token: str, amount_fen: int, *, key: str | None = None, **change: Any) -> Answer:
        return self.post("/v1/payments", self.payment(token, amount_fen, **change), key)

    def payment(self, token: str, amount_fen: int, **change: Any) -> dict[str, Any]:
        """The body of a one-step payment, its bill being as large as the amount."""
        purpose = "pharmacy" if self.key.kind == "pharmacy" else "outpatient"
        told = {
            "presence_token": token,
            "purpose": purpose,
            "bill": bill(amount_fen, purpose=purpose),
            "amount_fen": amount_fen,
        }
        return {**told, **change}


def bill(burden_fen: int, *, purpose: str = "pharmacy", **change: Any) -> dict[str, Any]:
    """A bill wholly borne by the patient, all of it eligible."""
    told: dict[str, Any] = {
        "medfee_sumamt_fen": burden_fen,
        "fulamt_ownpay_fen": 0,
        "overlmt_selfpay_fen": 0,
        "preselfpay_fen": 0,
        "inscp_scp_fen": burden_fen,
        "fund_pay_sumamt_fen": 0,
        "hosp_part_fen": 0,
        "psn_part_fen": burden_fen,
        "own_acct_pay_fen": 0,
        "med_type": "41" if purpose == "pharmacy" else "11",
    }
    if purpose == "pharmacy":
        told["items"] = [{"category": "drug", "amount_fen": burden_fen, "eligible": True}]
    return {**told, **change}
