"""Who lives in a town: citizens with tokens, counters that sign, and how they speak to it.

Every answer to a request with a key is remembered, so that the proofs can hold the ledger
against what callers were told. A patient messenger asks again, under the same key and with a
fresh nonce, until it knows what became of its request (I10).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from gm.message_signatures import sign_request
from gm.signing import SigningKey
from proof.rows import Exchange
from tests.support.town_until import until

JSON = "application/json"
PATIENCE_SECONDS = 60.0
ASK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer as it came; `after` is in seconds, where somebody took the time."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    after: float = 0.0

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
        assert self.status == status, f"{self.status} instead of {status}: {self.body[:500]!r}"
        return self.json


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A request ready to be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class Messenger:
    """Carries requests and remembers the answers; `again` counts those it had to send again."""

    http: httpx.AsyncClient
    history: list[Exchange] = field(default_factory=list)
    patient: bool = False
    again: int = 0

    async def ask(self, write: Callable[[], Letter], *, known_as: str = "") -> Said:
        """Send a letter, each time written anew; remembered under the name of its caller."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            letter = write()
            try:
                said = await self._send(letter)
            except httpx.TransportError as error:
                if not self.patient:
                    raise
                wait = repr(error)
            else:
                if not (self.patient and _says_try_again(said)):
                    self.remember(letter, said, known_as)
                    return said
                wait = f"{said.status} {said.body[:200]!r}"
            assert time.monotonic() < deadline, f"{letter.method} {letter.url} still: {wait}"
            self.again += 1
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _send(self, letter: Letter) -> Said:
        given = await self.http.request(
            letter.method, letter.url, content=letter.body or None, headers=dict(letter.headers)
        )
        return Said(status=given.status_code, headers=given.headers, body=given.content)

    def remember(self, letter: Letter, said: Said, known_as: str) -> None:
        """What a caller of this name was told, if it asked under a key."""
        if known_as and "idempotency-key" in letter.headers:
            self.history.append(
                Exchange(
                    key=letter.headers["idempotency-key"],
                    status=said.status,
                    body=said.body.decode(),
                    replayed=said.replayed,
                    caller=known_as,
                )
            )


def _says_try_again(said: Said) -> bool:
    if said.status in (429, 503):
        return True
    return said.status in (409, 504) and bool(said.json["retryable"])


def new_key() -> str:
    return f"town-{uuid4()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The sandbox as the outside world sees it."""

    messenger: Messenger
    url: str
    gateway: str

    async def ask(self, method: str, path: str, told: object = None) -> Any:
        body = b"" if told is None else json.dumps(told).encode()
        headers = {"content-type": JSON} if body else {}
        said = await self.messenger.ask(
            lambda: Letter(method=method, url=self.url + path, headers=headers, body=body)
        )
        assert said.status < 300, f"{method} {path}: {said.status} {said.body[:500]!r}"
        return said.json

    async def person(self, area: str, *, employee: bool, balance_fen: int = 0) -> Citizen:
        """Somebody new, whom the platform knows; the wallet is not open."""
        told = {
            "insutype": "310" if employee else "390",
            "insuplc_admdvs": area,
            "balance_fen": balance_fen,
        }
        made = await self.ask("POST", "/people", told)
        given = await self.ask("POST", "/tokens", {"psn_no": made["psn_no"]})
        return Citizen(world=self, told=made, token=given["token"])

    async def citizen(self, area: str, *, employee: bool, balance_fen: int = 0) -> Citizen:
        """Somebody new with an open wallet."""
        person = await self.person(area, employee=employee, balance_fen=balance_fen)
        opened = await person.ask("POST", "/v1/me/wallet", {})
        assert opened.json["open"] is True, opened.body
        return person

    async def account(self, area: str, psn_no: str) -> dict[str, int]:
        path = f"/provinces/{province_of(area)}/accounts/{psn_no}"
        told: dict[str, int] = await self.ask("GET", path)
        return told

    async def behave(self, province: str, **behaviour: object) -> None:
        """What is left out is as a well-behaved province has it."""
        await self.ask("PUT", f"/provinces/{province}/behaviour", behaviour)


def province_of(area: str) -> str:
    """Of the areas that the tests' people come from."""
    return "660000" if area == "659002" else f"{area[:2]}0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Citizen:
    world: World
    told: dict[str, Any]
    token: str = field(repr=False)

    @property
    def psn_no(self) -> str:
        return str(self.told["psn_no"])

    @property
    def area(self) -> str:
        return str(self.told["insuplc_admdvs"])

    async def ask(
        self,
        method: str,
        path: str,
        told: object = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] = {},
    ) -> Said:
        sent = {"authorization": f"Bearer {self.token}", **headers}
        if method == "POST":
            sent["idempotency-key"] = key or new_key()
        if told is not None:
            sent["content-type"] = JSON
        body = b"" if told is None else json.dumps(told).encode()
        return await self.world.messenger.ask(
            lambda: Letter(method=method, url=self.world.gateway + path, headers=sent, body=body)
        )

    async def propose(self, role: str, other: Citizen, kind: str = "parent") -> Said:
        counterpart = {name: other.told[name] for name in ("psn_cert_type", "cert_no", "name")}
        told = {
            "role": role,
            "counterpart": counterpart,
            "kind": kind,
            "commitment_version": "1",
        }
        return await self.ask("POST", "/v1/me/relations", told)

    async def confirm(self, relation_id: str) -> Said:
        return await self.ask("POST", f"/v1/me/relations/{relation_id}/confirm", {})

    async def share_with(self, beneficiary: Citizen, kind: str = "parent") -> str:
        """Propose, let the other one confirm, wait until active; the relation's id."""
        proposed = await self.propose("sharer", beneficiary, kind)
        relation_id = str(proposed.of(201)["relation_id"])
        (await beneficiary.confirm(relation_id)).of(202)
        await self.becomes_active(relation_id)
        return relation_id

    async def becomes_active(self, relation_id: str, **within: float) -> None:
        async def is_active() -> bool:
            told = await self.ask("GET", f"/v1/me/relations/{relation_id}")
            return bool(told.of(200)["state"] == "active")

        await until(is_active, "the relation is active", **within)

    async def set_quota(self, relation_id: str, available_fen: int) -> Said:
        path = f"/v1/me/relations/{relation_id}/quota"
        return await self.ask("PUT", path, {"available_fen": available_fen})

    async def quota(self, quota_id: str) -> dict[str, Any]:
        told = (await self.ask("GET", "/v1/me/quotas")).of(200)
        found: dict[str, Any] = next(each for each in told["items"] if each["quota_id"] == quota_id)
        return found

    async def settled_quota(self, quota_id: str, **within: float) -> dict[str, Any]:
        """The quota once the province has answered."""

        async def settled() -> dict[str, Any] | None:
            quota = await self.quota(quota_id)
            return quota if quota["state"] != "freezing" else None

        return await until(settled, "the province has answered", **within)

    async def raise_quota(self, relation_id: str, available_fen: int, **within: float) -> str:
        """Set what shall be spendable and wait until it is; the quota's id."""
        quota_id = str((await self.set_quota(relation_id, available_fen)).of(202)["quota_id"])
        quota = await self.settled_quota(quota_id, **within)
        assert quota["state"] == "active", quota
        assert quota["available_fen"] == available_fen, quota
        return quota_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """An institution's system: it signs what it sends."""

    world: World
    code: str
    key: SigningKey = field(repr=False)

    def letter(
        self, method: str, path: str, body: bytes, key: str | None, extra: Mapping[str, str] = {}
    ) -> Letter:
        headers = dict(extra)
        if body:
            headers.setdefault("content-type", JSON)
        if key is not None:
            headers["idempotency-key"] = key
        url = self.world.gateway + path
        added = sign_request(
            self.key,
            method=method,
            target_uri=url,
            headers=list(headers.items()),
            body=body,
            now=datetime.now(UTC),
            nonce=secrets.token_urlsafe(18),
        )
        return Letter(method=method, url=url, headers={**headers, **added}, body=body)

    async def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        key: str | None = None,
        extra: Mapping[str, str] = {},
        *,
        known_as: str = "",
    ) -> Said:
        return await self.world.messenger.ask(
            lambda: self.letter(method, path, body, key, extra), known_as=known_as
        )

    async def presence(self, person: Citizen, key: str | None = None) -> Said:
        """Presence proved by the person's e-certificate."""
        code = (await self.world.ask("POST", "/ec-codes", {"psn_no": person.psn_no}))["value"]
        told = {"credential": {"type": "e_certificate", "value": code}}
        return await self.send("POST", "/v1/presences", json.dumps(told).encode(), key or new_key())

    async def token(self, person: Citizen) -> str:
        return str((await self.presence(person)).of(201)["presence_token"])

    def payment(self, token: str, amount_fen: int, **change: Any) -> dict[str, Any]:
        """The body of a one-step payment, its bill being as large as the amount."""
        purpose = "pharmacy" if self.code[0] == "P" else "outpatient"
        told = {
            "presence_token": token,
            "purpose": purpose,
            "bill": bill(max(amount_fen, 1), purpose=purpose),
            "amount_fen": amount_fen,
        }
        return {**told, **change}

    def question(self, token: str, amount_fen: int, **change: Any) -> dict[str, Any]:
        """The body of a quote of the same payment."""
        return {**self.payment(token, amount_fen), **change}

    async def pay(
        self, token: str, amount_fen: int, *, key: str | None = None, **change: Any
    ) -> Said:
        body = json.dumps(self.payment(token, amount_fen, **change)).encode()
        return await self.send("POST", "/v1/payments", body, key or new_key(), known_as=self.code)

    async def about(
        self, payment_id: str, verb: str, told: Mapping[str, Any], *, key: str | None = None
    ) -> Said:
        """Capture, extend or release a hold."""
        path, body = f"/v1/payments/{payment_id}/{verb}", json.dumps(told).encode()
        return await self.send("POST", path, body, key or new_key(), known_as=self.code)


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
