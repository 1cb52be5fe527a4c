"""Every route of a town with a request it would take, and a hundred ways to get one wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from tests.support.town import Town
from tests.support.town_families import ALAR, SHENZHEN, Family
from tests.support.town_internal import (
    ask_internally,
    open_wallet_command,
    pay_command,
    quote_command,
)
from tests.support.town_month_routes import internal_routes_of_months, routes_of_clerks
from tests.support.town_people import JSON, Letter, bill, new_key
from tests.support.town_route import Route, Send


class Routes:
    """All routes, as a family, its pharmacy and a clerk would ask them."""

    def __init__(
        self, town: Town, family: Family, payment: Mapping[str, Any], clerk_token: str
    ) -> None:
        self._town = town
        self._family = family
        self._payment = payment
        self._clerk_token = clerk_token

    def all(self) -> list[Route]:
        return [*self.signed(), *self.with_a_token(), *self.internal(), *self.sandbox()]

    def signed(self) -> list[Route]:
        counter, person_id = self._town.counter(), self._payment["person_id"]
        credential = {"type": "e_certificate", "value": "nobody-shows-this", "name": "李小龙"}
        payment = counter.payment(self._family.token, 100, partial="refuse", capture=True)
        reversal = {"original_key": new_key(), "person_id": person_id}
        return [
            self._post("/v1/presences", {"credential": credential}),
            self._post("/v1/sessions", {"x25519_public_key": f"{'A' * 42}g="}),
            self._post("/v1/quotes", counter.question(self._family.token, 100)),
            self._post("/v1/payments", payment),
            self._post("/v1/reversals", reversal),
            Route(
                name="gateway GET /v1/payments",
                send=lambda body: counter.send("GET", "/v1/payments", body),
            ),
            Route(
                name="gateway GET /v1/requests/{key}",
                send=lambda body: counter.send(
                    "GET", f"/v1/requests/k?person_id={person_id}", body
                ),
            ),
            Route(
                name="gateway GET /v1/explain/{key}",
                send=lambda body: counter.send(
                    "GET", f"/v1/explain/{self._payment['payment_id']}", body
                ),
            ),
            *self._of_a_payment(),
        ]

    def _of_a_payment(self) -> list[Route]:
        counter = self._town.counter()
        path = f"/v1/payments/{self._payment['payment_id']}"
        told: dict[str, dict[str, Any]] = {
            "capture": {"amount_fen": 100, "bill": bill(100)},
            "refunds": {"amount_fen": 100, "bill_after": bill(100), "reason": "returned"},
            "extend": {"hold_seconds": 60},
            "release": {},
        }
        return [
            Route(
                name="gateway GET /v1/payments/{payment_id}",
                send=lambda body: counter.send("GET", path, body),
            ),
            *(
                self._post(f"{path}/{verb}", good, f"/v1/payments/{{payment_id}}/{verb}")
                for verb, good in told.items()
            ),
        ]

    def _post(self, path: str, good: Mapping[str, Any], name: str | None = None) -> Route:
        counter = self._town.counter()
        return Route(
            name=f"gateway POST {name or path}",
            send=lambda body: counter.send("POST", path, body, new_key()),
            good=good,
        )

    def with_a_token(self) -> list[Route]:
        """Citizens' routes and clerks'."""
        of_clerks = routes_of_clerks(partial(self._bearing, self._clerk_token))
        return [*self._citizens(), *of_clerks]

    def _bearing(self, token: str, method: str, path: str) -> Send:
        return lambda body: self._town.messenger.ask(
            lambda: Letter(
                method=method,
                url=self._town.world.gateway + path,
                headers={
                    "authorization": f"Bearer {token}",
                    "idempotency-key": new_key(),
                    "content-type": JSON,
                },
                body=body,
            )
        )

    def _citizens(self) -> list[Route]:
        sharer, other = self._family.sharer, self._family.beneficiary
        relation = f"/v1/me/relations/{self._family.relation_id}"

        def send(method: str, path: str) -> Send:
            return self._bearing(sharer.token, method, path)

        counterpart = {name: other.told[name] for name in ("psn_cert_type", "cert_no", "name")}
        proposal = {
            "role": "sharer",
            "counterpart": counterpart,
            "kind": "parent",
            "commitment_version": "1",
        }
        return [
            Route(
                name="gateway POST /v1/me/wallet",
                send=send("POST", "/v1/me/wallet"),
                good={"on_behalf_of": other.psn_no},
            ),
            Route(name="gateway GET /v1/me/wallet", send=send("GET", "/v1/me/wallet")),
            Route(name="gateway GET /v1/me/quotas", send=send("GET", "/v1/me/quotas")),
            Route(name="gateway GET /v1/me/timeline", send=send("GET", "/v1/me/timeline")),
            Route(
                name="gateway POST /v1/me/relations",
                send=send("POST", "/v1/me/relations"),
                good=proposal,
            ),
            Route(
                name="gateway POST /v1/me/premiums",
                send=send("POST", "/v1/me/premiums"),
                good={
                    "person_id": self._payment["person_id"],
                    "insutype": "390",
                    "year": 2027,
                    "levy_no": "L-2027",
                    "amount_fen": 100,
                },
            ),
            *_of_a_relation(relation, self._family.quota_id, send),
        ]

    def internal(self) -> list[Route]:
        person_id = self._payment["person_id"]
        relation_id = self._family.relation_id
        told = self._family.beneficiary.told

        def send(*asked: str) -> Send:
            return lambda body: ask_internally(self._town, " ".join(asked), body)

        def commands(service: str, kind: str, command: Mapping[str, Any]) -> Route:
            call = {
                "caller": "institution:P65900200001",
                "person_id": person_id,
                "key": new_key(),
                "fingerprint": "0" * 64,
                "instance": "/v1/payments",
                "command": {"type": kind, **command},
            }
            return Route(
                name=f"{service} POST /internal/commands",
                send=send(service, "POST", "/internal/commands"),
                good={"calls": [call]},
            )

        certificate = {name: told[name] for name in ("psn_cert_type", "cert_no", "name")}
        return [
            *(
                commands("wallet", kind, command)
                for kind, command in self._wallet_commands().items()
            ),
            commands("relations", "propose_relation", self._propose_command()),
            *(
                commands("relations", kind, {"relation_id": relation_id, "person_id": person_id})
                for kind in ("confirm_relation", "decline_relation", "end_relation")
            ),
            Route(
                name="relations POST /internal/persons/identify",
                send=send("relations", "POST", "/internal/persons/identify"),
                good=certificate,
            ),
            Route(
                name="relations POST /internal/persons/find",
                send=send("relations", "POST", "/internal/persons/find"),
                good={"psn_no": told["psn_no"], "pool_admdvs": ALAR},
            ),
            Route(
                name="wallet POST /internal/payments/find",
                send=send("wallet", "POST", "/internal/payments/find"),
                good={"payment_ids": [self._payment["payment_id"]]},
            ),
            Route(
                name="wallet POST /internal/quotes",
                send=send("wallet", "POST", "/internal/quotes"),
                good=quote_command(person_id),
            ),
            *internal_routes_of_months(send),
            *self._internal_reads(),
        ]

    def _internal_reads(self) -> list[Route]:
        person_id, relation_id = self._payment["person_id"], self._family.relation_id
        payment_id = self._payment["payment_id"]
        histories = (
            (service, "/internal/history/{name}", f"/internal/history/{payment_id}")
            for service in ("relations", "wallet", "settlement")
        )
        reads = (
            *histories,
            (
                "relations",
                "/internal/relations/{relation_id}",
                f"/internal/relations/{relation_id}?person_id={person_id}",
            ),
            ("relations", "/internal/relations", f"/internal/relations?person_id={person_id}"),
            ("wallet", "/internal/payments/{payment_id}", f"/internal/payments/{payment_id}"),
            ("wallet", "/internal/wallets/{person_id}", f"/internal/wallets/{person_id}"),
            ("wallet", "/internal/quotas", f"/internal/quotas?person_id={person_id}"),
            (
                "wallet",
                "/internal/requests",
                f"/internal/requests?caller=x&key=x&person_id={person_id}",
            ),
        )

        def send(*asked: str) -> Send:
            return lambda body: ask_internally(self._town, " ".join(asked), body)

        return [
            Route(name=f"{service} GET {name}", send=send(service, "GET", path))
            for service, name, path in reads
        ]

    def _wallet_commands(self) -> dict[str, dict[str, Any]]:
        person_id = self._payment["person_id"]
        refund = {"amount_fen": 1, "bill_after": bill(100), "reason": "returned"}
        return {
            "pay": pay_command(person_id),
            "hold": pay_command(person_id, hold_seconds=60),
            "capture": self._about_payment(amount_fen=1, bill=bill(100)),
            "extend": self._about_payment(hold_seconds=60),
            "release": self._about_payment(),
            "refund": self._about_payment(**refund),
            "reverse": {
                "person_id": person_id,
                "institution": "P65900200001",
                "original_key": new_key(),
            },
            "set_quota": self._set_quota_command(),
            "order_sharers": {"person_id": person_id, "quota_ids": [self._family.quota_id]},
            "pay_premium": {
                "person_id": person_id,
                "entitled": True,
                "insutype": "390",
                "year": 2027,
                "levy_no": "L-2028",
                "amount_fen": 100,
            },
            "open_wallet": open_wallet_command(person_id, self._family.beneficiary.psn_no),
        }

    def _about_payment(self, **told: Any) -> dict[str, Any]:
        named = {"payment_id": self._payment["payment_id"], "institution": "P65900200001"}
        return named | told

    def _set_quota_command(self) -> dict[str, Any]:
        return {
            "relation_id": self._family.relation_id,
            "sharer_id": str(uuid4()),
            "beneficiary_id": self._payment["person_id"],
            "available_fen": 5_000,
        }

    def _propose_command(self) -> dict[str, Any]:
        return {
            "proposer_id": self._payment["person_id"],
            "counterpart_id": str(uuid4()),
            "role": "sharer",
            "kind": "parent",
            "commitment_version": "1",
            "proposer_wallet_open": True,
            "counterpart_wallet_open": True,
        }

    def sandbox(self) -> list[Route]:
        psn_no = self._family.sharer.psn_no
        world = self._town.world

        def route(method: str, name: str, good: Mapping[str, Any] | None = None) -> Route:
            path = name.replace("{province}", "440000").replace("{psn_no}", psn_no)
            path = path.replace("{payment_id}", self._payment["payment_id"])
            return Route(
                name=f"sandbox {method} {name}",
                send=lambda body: world.messenger.ask(
                    lambda: Letter(
                        method=method,
                        url=world.url + path,
                        headers={"content-type": JSON},
                        body=body,
                    )
                ),
                good=good,
            )

        person = {"insutype": "310", "insuplc_admdvs": SHENZHEN, "balance_fen": 1}
        registration = {
            "psn_no": psn_no,
            "mdtrtarea_admvs": ALAR,
            "from": "2026-01-01",
            "to": "2027-01-01",
        }
        behaviour = {"freeze": "confirm", "late_ms": 0, "duplicate": False, "reorder": False}
        institution = {
            "fixmedins_code": "H65900200009",
            "name": "示例医院",
            "kind": "hospital",
            "level": "3",
            "admdvs": ALAR,
            "active": True,
            "wallet_enabled": True,
            "from": "2026-01-01",
        }
        return [
            route("POST", "/people", person),
            route("GET", "/world"),
            route("POST", "/tokens", {"psn_no": psn_no}),
            route("POST", "/ec-codes", {"psn_no": psn_no}),
            route("POST", "/ec/query", {"value": "nobody-shows-this"}),
            route("GET", "/.well-known/jwks.json"),
            route("GET", "/.well-known/openid-configuration"),
            route("GET", "/provinces/{province}/accounts/{psn_no}"),
            route("POST", "/provinces/{province}/accounts/{psn_no}/deposits", {"amount_fen": 1}),
            route("PUT", "/provinces/{province}/behaviour", behaviour),
            route("POST", "/provinces/{province}/institutions", institution),
            route("POST", "/provinces/{province}/premiums/{payment_id}/refunds", {}),
            route(
                "POST",
                "/provinces/{province}/enrolments",
                {"psn_no": psn_no, "status": "suspended", "since": "2026-01-01"},
            ),
            route("POST", "/provinces/{province}/registrations", registration),
        ]


def _of_a_relation(relation: str, quota_id: str, send: Callable[[str, str], Send]) -> list[Route]:
    """What may be asked of an existing relation."""
    return [
        Route(
            name="gateway POST /v1/me/relations/{relation_id}/confirm",
            send=send("POST", f"{relation}/confirm"),
            good={},
        ),
        Route(
            name="gateway POST /v1/me/relations/{relation_id}/decline",
            send=send("POST", f"{relation}/decline"),
            good={},
        ),
        Route(
            name="gateway POST /v1/me/relations/{relation_id}/end",
            send=send("POST", f"{relation}/end"),
            good={},
        ),
        Route(
            name="gateway PUT /v1/me/quotas/order",
            send=send("PUT", "/v1/me/quotas/order"),
            good={"quota_ids": [quota_id]},
        ),
        Route(name="gateway GET /v1/me/relations/{relation_id}", send=send("GET", relation)),
        Route(
            name="gateway PUT /v1/me/relations/{relation_id}/quota",
            send=send("PUT", f"{relation}/quota"),
            good={"available_fen": 5_000},
        ),
    ]
