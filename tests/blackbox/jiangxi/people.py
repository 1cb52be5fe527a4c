"""Who the stories are about: people with a token, counters that sign, a clerk; by requests."""

from __future__ import annotations

import json
import secrets
import uuid
from base64 import b64encode
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from nacl.signing import SigningKey, VerifyKey

from tests.blackbox.jiangxi.province import JIANGXI, Account, Province
from tests.blackbox.jiangxi.signing import Signed, verify
from tests.blackbox.jiangxi.waiting import comes_true

NANCHANG, GANZHOU = "360100", "360700"
SHENZHEN, ALAR = "440300", "659002"
DEADLINE_SECONDS = 30


def ok(answer: requests.Response, status: int = 200) -> Any:
    """The JSON of an answer that has to have this status."""
    told = f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:500]}"
    assert answer.status_code == status, told
    return answer.json()


def refused(answer: requests.Response, status: int, code: str) -> None:
    """A problem (RFC 9457) of this name, in both languages."""
    told = ok(answer, status)
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    assert (told["code"], told["status"]) == (code, status)
    assert told["title"].isascii()
    assert not told["title_zh"].isascii()


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What `var/stack.json` says, and a pool of connections."""

    told: dict[str, Any]
    http: requests.Session

    @property
    def gateway(self) -> str:
        return str(self.told["gateway"])

    def sandbox(self, method: str, path: str, body: object = None) -> Any:
        answer = self.http.request(
            method, self.told["sandbox"] + path, json=body, timeout=DEADLINE_SECONDS
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def elsewhere(self, area: str, insutype: str, balance_fen: int = 0) -> Person:
        """Somebody new of a province that the sandbox plays, with an open wallet."""
        body = {"insutype": insutype, "insuplc_admdvs": area, "balance_fen": balance_fen}
        made = self.sandbox("POST", "/people", body)
        return self.person({**made, "pool_admdvs": area})

    def person(self, told: dict[str, Any]) -> Person:
        body = {"psn_no": told["psn_no"], "pool_admdvs": told["pool_admdvs"]}
        token = self.sandbox("POST", "/tokens", body)["token"]
        person = Person(platform=self, token=token, told=told)
        comes_true(person.has_opened, "the platform knows who is insured")
        return person

    def clerk(self, role: str) -> Bearer:
        body = {"clerk": self.told["clerks"][role], "roles": [role]}
        return Bearer(platform=self, token=self.sandbox("POST", "/tokens", body)["token"])

    def counter(self, kind: str) -> Counter:
        """The first institution of this kind that signs with ed25519."""
        told = next(
            each
            for each in self.told["institutions"].values()
            if (each["kind"], each["algorithm"]) == (kind, "ed25519")
        )
        pem = Path(told["private_key_file"]).read_bytes()
        key = load_pem_private_key(pem, password=None)
        assert isinstance(key, Ed25519PrivateKey)
        signed = Signed(key_id=told["key_id"], key=SigningKey(key.private_bytes_raw()))
        return Counter(platform=self, kind=kind, signed=signed)

    def key(self) -> VerifyKey:
        key = load_pem_public_key(self.told["gateway_public_key"].encode())
        assert isinstance(key, Ed25519PublicKey)
        return VerifyKey(key.public_bytes_raw())


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    platform: Platform
    token: str

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
            body = {} if body is None else body
        return self.platform.http.request(
            method,
            self.platform.gateway + path,
            json=body,
            headers=headers,
            timeout=DEADLINE_SECONDS,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Bearer):
    told: dict[str, Any]

    @property
    def psn_no(self) -> str:
        return str(self.told["psn_no"])

    def has_opened(self) -> bool:
        """Whether the wallet is open, after one more try to open it."""
        answer = self.ask("POST", "/v1/me/wallet")
        return answer.ok and bool(answer.json()["open"])

    def propose(self, other: Person, kind: str) -> str:
        """As the sharer; returns the relation's id once the other one has confirmed."""
        counterpart = {name: other.told[name] for name in ("psn_cert_type", "cert_no", "name")}
        body = {"role": "sharer", "counterpart": counterpart, "kind": kind}
        told = ok(self.ask("POST", "/v1/me/relations", {**body, "commitment_version": "1"}), 201)
        ok(other.ask("POST", f"/v1/me/relations/{told['relation_id']}/confirm"), 202)
        return str(told["relation_id"])

    def relation(self, relation_id: str) -> str:
        return str(ok(self.ask("GET", f"/v1/me/relations/{relation_id}"))["state"])

    def share(self, other: Person, kind: str = "parent") -> str:
        relation_id = self.propose(other, kind)
        comes_true(lambda: self.relation(relation_id) == "active", "the relation is in force")
        return relation_id

    def wants(self, relation_id: str, available_fen: int) -> str:
        """Ask for a quota; returns its id. What the province says is awaited by whoever cares."""
        path = f"/v1/me/relations/{relation_id}/quota"
        return str(ok(self.ask("PUT", path, {"available_fen": available_fen}), 202)["quota_id"])

    def gives(self, relation_id: str, available_fen: int) -> str:
        quota_id = self.wants(relation_id, available_fen)
        wanted = ("active", available_fen)
        comes_true(lambda: self.stands(quota_id)[:2] == wanted, f"{available_fen} are spendable")
        return quota_id

    def quota(self, quota_id: str) -> dict[str, Any]:
        items: list[dict[str, Any]] = ok(self.ask("GET", "/v1/me/quotas"))["items"]
        return next(each for each in items if each["quota_id"] == quota_id)

    def stands(self, quota_id: str) -> tuple[str, int, int, int]:
        """State, available, held, spent."""
        told = self.quota(quota_id)
        return told["state"], told["available_fen"], told["held_fen"], told["spent_fen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A hospital's or pharmacy's system; every answer that it takes is signed by the gateway."""

    platform: Platform
    kind: str
    signed: Signed

    def signing(self, **change: Any) -> Counter:
        return replace(self, signed=replace(self.signed, **change))

    def ask(
        self, method: str, path: str, body: object = None, key: str | None = None
    ) -> requests.Response:
        headers = {"Idempotency-Key": key or f"jx-{uuid.uuid4()}"} if method == "POST" else {}
        answer = self.platform.http.request(
            method,
            self.platform.gateway + path,
            json=body,
            headers=headers,
            auth=self.signed,
            timeout=DEADLINE_SECONDS,
        )
        if answer.status_code != 401:
            verify(answer, self.platform.key())
        return answer

    def presence(self, person: Person) -> str:
        """By the identity card that is shown: the sandbox has none of Jiangxi's e-certificates."""
        card = {"type": "id_card", "value": person.told["cert_no"], "name": person.told["name"]}
        credential = {**card, "psn_cert_type": person.told["psn_cert_type"]}
        told = ok(self.ask("POST", "/v1/presences", {"credential": credential}), 201)
        assert told["person"]["insuplc_admdvs"] == person.told["pool_admdvs"]
        return str(told["presence_token"])

    def payment(self, person: Person, amount_fen: int, **change: Any) -> dict[str, Any]:
        """What is sent for a payment as large as its bill."""
        pharmacy = self.kind == "pharmacy"
        bill: dict[str, Any] = {
            "medfee_sumamt_fen": amount_fen,
            "fulamt_ownpay_fen": 0,
            "overlmt_selfpay_fen": 0,
            "preselfpay_fen": 0,
            "inscp_scp_fen": amount_fen,
            "fund_pay_sumamt_fen": 0,
            "hosp_part_fen": 0,
            "psn_part_fen": amount_fen,
            "own_acct_pay_fen": 0,
            "med_type": "41" if pharmacy else "21",
        }
        if pharmacy:
            bill["items"] = [{"category": "device", "amount_fen": amount_fen, "eligible": True}]
        return {
            "presence_token": self.presence(person),
            "purpose": "pharmacy" if pharmacy else "inpatient",
            "bill": bill,
            "amount_fen": amount_fen,
            **change,
        }

    def pay(self, person: Person, amount_fen: int, **change: Any) -> requests.Response:
        return self.ask("POST", "/v1/payments", self.payment(person, amount_fen, **change))


def enrol(
    province: Province,
    platform: Platform,
    *,
    balance_fen: int | None = None,
    pool: str = NANCHANG,
    born_on: str = "1980-05-06",
) -> Person:
    """Announce somebody insured in Jiangxi: an employee with this balance, or a resident."""
    psn_no = f"36{secrets.randbelow(10**16):016}"
    told = {
        "psn_no": psn_no,
        "pool_admdvs": pool,
        "psn_cert_type": "01",
        "cert_no": identity_number(born_on),
        "name": f"示例·赣{secrets.randbelow(10**6):06}",
    }
    if balance_fen is not None:
        province.accounts[psn_no] = Account(pool_admdvs=pool, balance_fen=balance_fen)
    insured = {
        "psn_no": psn_no,
        "insutype": "390" if balance_fen is None else "310",
        "pool_admdvs": pool,
        "status": "active",
        "since": "2020-01-01",
    }
    sealed = seal(platform.told["province_keys"][JIANGXI], told)
    more = {"psn_cert_type": "01", "sealed": sealed, "born_on": born_on}
    province.tell("enrolment.changed.v1", psn_no, {**insured, **more})
    registered = {"psn_no": psn_no, "mdtrtarea_admvs": ALAR}
    days = {"from": "2020-01-01", "to": "2099-12-31"}
    province.tell("registration.changed.v1", psn_no, {**registered, **days})
    return platform.person(told)


def seal(key: dict[str, str], told: dict[str, Any]) -> dict[str, str]:
    """SM4-GCM of number and name under the province's key; the tag follows the ciphertext."""
    nonce = secrets.token_bytes(12)
    sealing = Cipher(algorithms.SM4(bytes.fromhex(key["sm4_key_hex"])), modes.GCM(nonce))
    encryptor = sealing.encryptor()
    encryptor.authenticate_additional_data(told["psn_no"].encode())
    plain = json.dumps({"cert_no": told["cert_no"], "name": told["name"]}, ensure_ascii=False)
    ciphertext = encryptor.update(plain.encode()) + encryptor.finalize() + encryptor.tag
    return {
        "key_id": key["key_id"],
        "nonce": b64encode(nonce).decode(),
        "ciphertext": b64encode(ciphertext).decode(),
    }


def identity_number(born_on: str) -> str:
    """A made-up one (area 990000) whose last character fits (GB 11643)."""
    digits = f"990000{born_on.replace('-', '')}{secrets.randbelow(1000):03}"
    weighed = sum(int(digit) * pow(2, 17 - at, 11) for at, digit in enumerate(digits))
    return digits + "10X98765432"[weighed % 11]
