"""A gateway of its own for a test: real PostgreSQL, and neighbours played at the HTTP boundary."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import httpx
import respx
from fastapi import FastAPI

from gateway.edge.line import Line, Reply, Silent
from gateway.main import SERVICE, assemble
from gateway.settings import Settings
from gm.key_agreement import Half
from gm.message_signatures import sign_request, verify_response
from gm.signing import SigningKey, public_key_of, signing_key, verifying_key
from kit.audit import audit
from kit.health import Health
from kit.runtime import Parts, open_runtime
from kit.sweep import Sweep
from tests.support.gateway_neighbours import (
    AUDIENCE,
    DECODER,
    HOSPITAL,
    ISSUER,
    JWKS,
    RELATIONS,
    SERVICE_TOKEN,
    SETTLEMENT,
    WALLET,
    Keys,
    Neighbours,
    Person,
)

PUBLIC = "http://gateway.test"
CLERK = "林清算"


def institutions(keys: Keys) -> list[dict[str, Any]]:
    """What an institutions file says of the two."""
    return [
        {
            "code": code,
            "name": "示例机构",
            "kind": "hospital" if code[0] == "H" else "pharmacy",
            "mdtrtarea_admvs": "659002",
            "wallet_enabled": True,
            "keys": [
                {
                    "key_id": f"{code}-1",
                    "algorithm": "ed25519",
                    "public_key_pem": public_key_of("ed25519", private).decode(),
                }
            ],
        }
        for code, private in keys.institutions.items()
    ]


def settings_of(dsn: str, keys: Keys, folder: Path, **change: Any) -> Settings:
    """Settings for a gateway whose keys and institutions lie in `folder`."""
    (folder / "response.pem").write_bytes(keys.response)
    (folder / "institutions.json").write_text(json.dumps(institutions(keys)))
    told: dict[str, Any] = {
        "database_url": dsn,
        "service_token": SERVICE_TOKEN,
        "relations_url": RELATIONS,
        "wallet_url": WALLET,
        "settlement_url": SETTLEMENT,
        "public_url": PUBLIC,
        "jwks_url": JWKS,
        "token_issuer": ISSUER,
        "token_audience": AUDIENCE,
        "ec_decoder_url": DECODER,
        "response_key_file": folder / "response.pem",
        "presence_key": keys.presence,
        "institutions_file": folder / "institutions.json",
    }
    return Settings(**{**told, **change})


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[FastAPI]:
    """The gateway's application, assembled as its main does."""
    async with assembled(settings) as parts:
        yield parts.app


@asynccontextmanager
async def assembled(settings: Settings) -> AsyncIterator[Parts]:
    async with open_runtime(SERVICE, settings, Health()) as runtime:
        yield await assemble(runtime)


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A running gateway, the neighbours it asks, and those who ask it."""

    dsn: str
    keys: Keys
    settings: Settings
    person: Person
    neighbours: Neighbours
    client: httpx.AsyncClient
    counter: Counter
    sweeps: Sequence[Sweep]

    async def ask(
        self,
        method: str,
        path: str,
        told: Any = None,
        *,
        person: Person | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        """Ask as a citizen."""
        token = self.neighbours.token(person or self.person)
        return await self.bear(token, method, path, told, key=key)

    async def ask_as_clerk(
        self,
        method: str,
        path: str,
        told: Any = None,
        *,
        name: str = CLERK,
        roles: Sequence[str] = ("clearing",),
        key: str | None = None,
    ) -> httpx.Response:
        token = self.neighbours.token(sub=name, clerk=name, roles=list(roles))
        return await self.bear(token, method, path, told, key=key)

    async def bear(
        self, token: str, method: str, path: str, told: Any = None, *, key: str | None = None
    ) -> httpx.Response:
        """Ask with this very token."""
        headers = {"authorization": f"Bearer {token}"}
        if method == "POST":
            headers["idempotency-key"] = key or uuid4().hex
        return await self.client.request(method, path, json=told, headers=headers)


@asynccontextmanager
async def patched(owner: type, name: str, value: object) -> AsyncIterator[None]:
    with patch.object(owner, name, value):
        yield


Send = Callable[..., Awaitable[Reply]]


def over_the_line(client: httpx.AsyncClient) -> Send:
    """What `Line.send` does, by a client whose requests can be answered within the process."""

    async def send(line: Line, method: str, target: str, body: bytes = b"") -> Reply:
        headers = {"authorization": f"Bearer {SERVICE_TOKEN}"}
        try:
            given = await client.request(method, line.url + target, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise Silent(type(error).__name__) from None
        return Reply(given.status_code, given.content)

    return send


@asynccontextmanager
async def a_town(dsn: str, folder: Path, **change: Any) -> AsyncIterator[Town]:
    """A town with one insured person; ends with the audits. `change` are settings."""
    keys = Keys.generate()
    settings = settings_of(dsn, keys, folder, **change)
    person = Person()
    neighbours = Neighbours(keys, person)
    with respx.mock(assert_all_called=False) as router:
        neighbours.install(router)
        async with (
            httpx.AsyncClient(verify=False) as between,
            patched(Line, "send", over_the_line(between)),
            assembled(settings) as parts,
            httpx.AsyncClient(transport=httpx.ASGITransport(parts.app), base_url=PUBLIC) as client,
        ):
            yield Town(
                dsn=dsn,
                keys=keys,
                settings=settings,
                person=person,
                neighbours=neighbours,
                client=client,
                counter=Counter(client=client, keys=keys),
                sweeps=parts.sweeps,
            )
    assert await audit(dsn, 1, SERVICE.audits) == []


def refused(response: httpx.Response, code: str, status: int) -> dict[str, Any]:
    """Assert a refusal by name; returns the problem."""
    told: dict[str, Any] = response.json()
    assert (response.status_code, told.get("code")) == (status, code), response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    assert told["status"] == status
    return told


def answered_by(response: httpx.Response) -> str:
    """The id of the key that an answer says it is signed with; "" for an unsigned one."""
    _, _, rest = response.headers.get("signature-input", "").partition('keyid="')
    return str(rest.partition('"')[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKey:
    key_id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """An institution's system: signs what it sends, verifies what it gets."""

    client: httpx.AsyncClient
    keys: Keys
    code: str = HOSPITAL
    key_id: str | None = None
    public: str = PUBLIC
    session: SessionKey | None = None

    def named(self, code: str) -> Counter:
        return replace(self, code=code)

    def in_session(self, told: Mapping[str, Any], half: Half) -> Counter:
        """The same counter, signing as the session that this answer to `half` began."""
        key_id = told["key_id"]
        theirs = base64.b64decode(told["x25519_public_key"])
        secret = half.agree(theirs, info=f"gongji session {key_id}".encode())
        return replace(self, session=SessionKey(key_id=key_id, secret=secret))

    async def begin(self, half: Half, *, key: str | None = None) -> httpx.Response:
        public = base64.b64encode(half.public).decode()
        return await self.post("/v1/sessions", {"x25519_public_key": public}, key=key)

    async def begun(self) -> Counter:
        """The same counter in a new session."""
        half = Half()
        response = await self.begin(half)
        assert response.status_code == 201, response.text
        return self.in_session(response.json(), half)

    def headers(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        key: str | None = None,
        now: datetime | None = None,
        nonce: str | None = None,
        more: Mapping[str, str] = {},
    ) -> dict[str, str]:
        """The headers of a signed request."""
        headers = dict(more)
        if body:
            headers.setdefault("content-type", "application/json")
        if key is not None:
            headers["idempotency-key"] = key
        return headers | sign_request(
            self._signing(),
            method=method,
            target_uri=self.public + path,
            headers=list(headers.items()),
            body=body,
            now=now or datetime.now(UTC),
            nonce=nonce,
        )

    async def send(
        self, method: str, path: str, body: bytes = b"", *, key: str | None = None
    ) -> httpx.Response:
        """Send and check that the answer is signed."""
        headers = self.headers(method, path, body, key=key)
        response = await self.client.request(method, path, content=body, headers=headers)
        self.check(response, headers)
        return response

    def check(self, response: httpx.Response, headers: Mapping[str, str]) -> None:
        """Raises unless the gateway signed this answer to that request, by the key it names."""
        key = verifying_key("gateway", "ed25519", self.keys.response_public)
        if self.session is not None and answered_by(response) == self.session.key_id:
            key = verifying_key(self.session.key_id, "hmac-sm3", self.session.secret)
        verify_response(
            key,
            status=response.status_code,
            headers=response.headers.raw,
            body=response.content,
            request_headers=list(headers.items()),
            now=datetime.now(UTC),
        )

    def _signing(self) -> SigningKey:
        if self.session is not None:
            return signing_key(self.session.key_id, "hmac-sm3", self.session.secret)
        private = self.keys.institutions[self.code]
        return signing_key(self.key_id or f"{self.code}-1", "ed25519", private)

    async def post(self, path: str, told: Any, *, key: str | None = None) -> httpx.Response:
        body = json.dumps(told).encode()
        return await self.send("POST", path, body, key=key or uuid4().hex)

    async def get(self, path: str) -> httpx.Response:
        return await self.send("GET", path)

    async def deliver(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> httpx.Response:
        """Send with these very headers; the answer may be unsigned."""
        return await self.client.request(method, path, content=body, headers=dict(headers))

    async def presence(self, person: Person) -> str:
        """A presence token of this person at this counter."""
        told = {"credential": {"type": "id_card", "value": person.cert_no}}
        response = await self.post("/v1/presences", told)
        assert response.status_code == 201, response.text
        token = response.json()["presence_token"]
        assert isinstance(token, str)
        return token


def payment(token: str, **change: Any) -> dict[str, Any]:
    """The body of a one-step payment over 26.85."""
    bill = {
        "medfee_sumamt_fen": 2685,
        "fulamt_ownpay_fen": 0,
        "overlmt_selfpay_fen": 0,
        "preselfpay_fen": 0,
        "inscp_scp_fen": 2685,
        "fund_pay_sumamt_fen": 0,
        "hosp_part_fen": 0,
        "psn_part_fen": 2685,
        "own_acct_pay_fen": 0,
        "med_type": "11",
        "items": [{"category": "drug", "amount_fen": 2685, "eligible": True}],
    }
    told = {
        "presence_token": token,
        "purpose": "outpatient",
        "bill": bill,
        "amount_fen": 2685,
    }
    return {**told, **change}
