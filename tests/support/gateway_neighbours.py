"""Whom a gateway asks, played at the HTTP boundary: our own services, decoder, token issuer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import respx
from cryptography.fernet import Fernet
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from contracts.refusals import QuotaInsufficient
from gm.signing import generate_key_pair
from kit.answers import problem
from kit.ids import new_id
from kit.refusal import KeyReused
from tests.support.gateway_histories import Histories
from tests.support.gateway_months import Months

RELATIONS = "http://relations.test"
WALLET = "http://wallet.test"
SETTLEMENT = "http://settlement.test"
DECODER = "http://decoder.test/ec/query"
JWKS = "http://issuer.test/jwks"
ISSUER = "http://issuer.test"
AUDIENCE = "gongji"
SERVICE_TOKEN = "service-token-of-the-tests"

HOSPITAL = "H65900200001"
PHARMACY = "P65900200001"

PERSON_NUMBER = "990000198001010012"
"""Made up, area 990000; the checksum fits."""
NAME = "李建国"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Key pairs of a test's institutions and of its gateway, and the token issuer's."""

    institutions: Mapping[str, bytes]
    response: bytes
    response_public: bytes
    issuer: OKPKey
    presence: str

    @classmethod
    def generate(cls) -> Keys:
        response = generate_key_pair("ed25519")
        return cls(
            institutions={
                code: generate_key_pair("ed25519").private for code in (HOSPITAL, PHARMACY)
            },
            response=response.private,
            response_public=response.public,
            issuer=OKPKey.generate_key("Ed25519", {"kid": "issuer-1"}),
            presence=Fernet.generate_key().decode(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody relations knows."""

    person_id: UUID = field(default_factory=uuid4)
    psn_no: str = "65900000000000000001"
    pool_admdvs: str = "659002"
    insutype: str = "390"
    cert_no: str = PERSON_NUMBER
    name: str = NAME
    insured: bool = True
    of_age: bool = True

    def facts(self) -> dict[str, Any]:
        primary = {
            "psn_no": self.psn_no,
            "pool_admdvs": self.pool_admdvs,
            "insutype": self.insutype,
            "insured": self.insured,
        }
        return {
            "person_id": str(self.person_id),
            "version": 3,
            "primary": primary,
            "employee": primary if self.insutype == "310" else None,
            "name_masked": "李**",
            "born_on": "1980-01-01",
            "of_age": self.of_age,
        }


class Neighbours:
    """Relations, wallet, decoder and issuer, played at the HTTP boundary; counts what it gets."""

    def __init__(self, keys: Keys, *people: Person) -> None:
        self.keys = keys
        self.months = Months(wallet=WALLET, settlement=SETTLEMENT)
        self.histories = Histories(relations=RELATIONS, wallet=WALLET, settlement=SETTLEMENT)
        self.people = list(people)
        self.codes: dict[str, Person] = {}
        self.relations: dict[str, dict[str, Any]] = {}
        self.quotas: list[dict[str, Any]] = []
        self.open: set[UUID] = {person.person_id for person in people}
        self.batches: list[list[dict[str, Any]]] = []
        self.receipts: dict[tuple[str, str, str], tuple[str, dict[str, Any]]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.requests: dict[tuple[str, str, str], str] = {}
        self.quoted: list[dict[str, Any]] = []
        self.answers: dict[str, tuple[int, Any]] = {}
        self.wallet_seconds = 0.0
        self.in_flight = self.most_in_flight = 0
        self.refuse_payments = False
        self.silent: set[str] = set()

    def install(self, router: respx.Router) -> None:
        self.months.install(router)
        self.histories.install(router)
        router.get(JWKS).mock(side_effect=self._jwks)
        router.post(DECODER).mock(side_effect=self._decode)
        router.post(f"{RELATIONS}/internal/persons/identify").mock(side_effect=self._identify)
        router.post(f"{RELATIONS}/internal/persons/find").mock(side_effect=self._find)
        router.get(url__regex=rf"{RELATIONS}/internal/relations/.*").mock(
            side_effect=self._relation
        )
        router.get(url__regex=rf"{RELATIONS}/internal/relations\?.*").mock(
            side_effect=self._relations_of
        )
        router.post(url__regex=r".*/internal/commands").mock(side_effect=self._commands)
        router.post(f"{WALLET}/internal/payments/find").mock(side_effect=self._payments)
        router.post(f"{WALLET}/internal/quotes").mock(side_effect=self._quote)
        router.get(url__regex=rf"{WALLET}/internal/wallets/.*").mock(side_effect=self._wallet)
        router.get(url__regex=rf"{WALLET}/internal/payments/.*").mock(side_effect=self._payment)
        router.get(url__regex=rf"{WALLET}/internal/requests.*").mock(side_effect=self._request)
        router.get(url__regex=rf"{WALLET}/internal/quotas.*").mock(
            side_effect=lambda _: httpx.Response(
                200, json={"items": self.quotas, "as_of": "2026-11-21T08:00:00Z"}
            )
        )

    def token(self, person: Person | None = None, **claims: Any) -> str:
        """A bearer token for a person; `claims` add, change, or with None take away."""
        now = datetime.now(UTC)
        told: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "exp": int((now + timedelta(minutes=5)).timestamp()),
            "roles": [],
        }
        if person is not None:
            told |= {"psn_no": person.psn_no, "pool_admdvs": person.pool_admdvs}
        told = {name: value for name, value in {**told, **claims}.items() if value is not None}
        header = {"alg": "Ed25519", "kid": self.keys.issuer.kid}
        return jwt.encode(header, told, self.keys.issuer, algorithms=["Ed25519"])

    def relate(self, sharer: Person, beneficiary: Person, state: str = "active") -> str:
        relation_id = str(uuid4())
        self.relations[relation_id] = {
            "relation_id": relation_id,
            "kind": "parent",
            "state": state,
            "sharer_id": str(sharer.person_id),
            "beneficiary_id": str(beneficiary.person_id),
        }
        return relation_id

    def _jwks(self, _: httpx.Request) -> httpx.Response:
        public = KeySet([self.keys.issuer]).as_dict(private=False)
        return httpx.Response(200, json=public)

    def _decode(self, request: httpx.Request) -> httpx.Response:
        person = self.codes.get(json.loads(request.content)["value"])
        if person is None:
            return httpx.Response(404, json={})
        return httpx.Response(
            200,
            json={
                "idNo": person.cert_no,
                "userName": person.name,
                "idType": "01",
                "insuOrg": person.pool_admdvs,
                "ecToken": "t",
                "chnlId": "c",
            },
        )

    def _identify(self, request: httpx.Request) -> httpx.Response:
        self._heard("identify")
        asked = json.loads(request.content)
        return self._first(
            lambda person: (
                person.cert_no == asked["cert_no"] and asked["name"] in (None, person.name)
            )
        )

    def _find(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        self._heard("find")
        return self._first(lambda person: person.psn_no == asked["psn_no"])

    def _heard(self, what: str) -> None:
        if what in self.silent:
            raise httpx.ConnectError("nobody answers")

    def _first(self, fits: Any) -> httpx.Response:
        found = next((person for person in self.people if fits(person)), None)
        return (
            httpx.Response(404, json={})
            if found is None
            else httpx.Response(200, json=found.facts())
        )

    def _relation(self, request: httpx.Request) -> httpx.Response:
        found = self.relations.get(request.url.path.rpartition("/")[2])
        reader = request.url.params["person_id"]
        if found is None or reader not in (found["sharer_id"], found["beneficiary_id"]):
            return httpx.Response(404, json={})
        role = "sharer" if reader == found["sharer_id"] else "beneficiary"
        return httpx.Response(200, json={**found, "role": role})

    def _relations_of(self, request: httpx.Request) -> httpx.Response:
        reader = request.url.params["person_id"]
        items = [
            {**found, "role": "sharer" if reader == found["sharer_id"] else "beneficiary"}
            for found in self.relations.values()
            if reader in (found["sharer_id"], found["beneficiary_id"])
        ]
        return httpx.Response(200, json={"items": items})

    def _wallet(self, request: httpx.Request) -> httpx.Response:
        person_id = request.url.path.rpartition("/")[2]
        return httpx.Response(
            200,
            json={
                "person_id": person_id,
                "open": UUID(person_id) in self.open,
                "given_fen": 0,
                "received_fen": 500_00,
                "available_fen": 500_00,
            },
        )

    def _payment(self, request: httpx.Request) -> httpx.Response:
        found = self.payments.get(request.url.path.rpartition("/")[2])
        return httpx.Response(404, json={}) if found is None else httpx.Response(200, json=found)

    def _request(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        state = self.requests.get((asked["caller"], asked["person_id"], asked["key"]))
        return (
            httpx.Response(404, json={})
            if state is None
            else httpx.Response(200, json={"state": state})
        )

    def _payments(self, request: httpx.Request) -> httpx.Response:
        self._heard("payments")
        asked = json.loads(request.content)["payment_ids"]
        found = [self.payments[each] for each in asked if each in self.payments]
        return httpx.Response(200, json={"payments": found})

    def _quote(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        self.quoted.append(asked)
        burden = asked["bill"]["psn_part_fen"]
        told = {
            "personal_burden_fen": burden,
            "own_account_fen": 0,
            "mutual_aid_fen": burden,
            "cash_fen": 0,
            "allocations": [],
        }
        status, body = self.answers.get("quote", (200, told))
        given = {"status": status, "body": json.dumps(body), "replayed": False}
        return httpx.Response(200, json=given)

    async def _commands(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == f"Bearer {SERVICE_TOKEN}"
        calls = json.loads(request.content)["calls"]
        self._heard("commands")
        self.batches.append(calls)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.wallet_seconds)
        self.in_flight -= 1
        return httpx.Response(200, json={"answers": [self._answer(call) for call in calls]})

    def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
        name = (call["caller"], call["person_id"], call["key"])
        if call["key"] is not None and name in self.receipts:
            fingerprint, given = self.receipts[name]
            if fingerprint != call["fingerprint"]:
                refused = problem(KeyReused(), call["instance"])
                return {"status": 422, "body": refused.body, "replayed": False, "retry_after": None}
            return {**given, "replayed": True}
        given = self._performed(call)
        self.receipts[name] = (call["fingerprint"], given)
        return given

    def _performed(self, call: dict[str, Any]) -> dict[str, Any]:
        kind = call["command"]["type"]
        status, body = self.answers.get(kind, (201, None))
        if kind == "pay" and self.refuse_payments:
            refused = problem(QuotaInsufficient(), call["instance"])
            status, body = refused.status, json.loads(refused.body)
        elif body is None:
            body = {"payment_id": str(new_id()), "institution": call["caller"].partition(":")[2]}
            self.payments[body["payment_id"]] = body
        text = json.dumps(body, ensure_ascii=False, indent=1)
        return {"status": status, "body": text, "replayed": False, "retry_after": None}
