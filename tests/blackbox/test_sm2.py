"""An institution whose key is SM2: the same door, by `sm2-sm3` (contract §2)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from gmssl_pyx import sm2_key_generate, sm2_sign

from tests.blackbox.world import Counter, Family, World, bill, new_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2Key:
    """A private number and its point; signs as r and s, 32 bytes each."""

    number: bytes = field(repr=False)
    point: bytes

    @classmethod
    def read(cls, pem: str) -> Sm2Key:
        """From PKCS#8 as OpenSSL writes it, where both stand at fixed places."""
        der = base64.b64decode("".join(pem.split("-----")[2].split()))
        return cls(number=der[36:68], point=der[-64:])

    def sign(self, data: bytes, /) -> bytes:
        r, s = decode_dss_signature(sm2_sign(self.number, self.point, data))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.fixture(scope="module")
def hospital_by_sm2(world: World, hospital: Counter) -> Counter:
    """The stack's institution with such a key."""
    listed = world.stack.told["institutions"].items()
    [(code, told)] = [(code, told) for code, told in listed if told["algorithm"] == "sm2-sm3"]
    key = Sm2Key.read(Path(told["private_key_file"]).read_text(encoding="ascii"))
    owner = replace(hospital.key, code=code, name=told["name"], key_id=told["key_id"])
    return replace(hospital, key=owner).signing_as(private_key=key)


@pytest.mark.rule("R28")
@pytest.mark.parametrize("alg", [None, "sm2-sm3"])
def test_a_payment_is_signed_by_sm2(
    family: Family, hospital_by_sm2: Counter, alg: str | None
) -> None:
    counter = hospital_by_sm2.signing_as(alg=alg)
    key = new_key()
    token = counter.token(family.beneficiary)
    paid = counter.pay(token, 1_250, key=key).of(201)
    assert paid["institution"] == counter.key.code
    again = counter.pay(token, 1_250, key=key)
    assert again.replayed
    assert again.of(201) == paid
    assert counter.get(f"/v1/payments/{paid['payment_id']}").of(200) == paid


@pytest.mark.rule("R28")
def test_what_does_not_fit_is_refused_before_any_work(
    hospital: Counter, hospital_by_sm2: Counter
) -> None:
    point, number = sm2_key_generate()
    stranger = Sm2Key(number=number, point=point)
    own = hospital_by_sm2.signing["private_key"]

    class Cut:
        def sign(self, data: bytes, /) -> bytes:
            return bytes(own.sign(data)[:-1])

    class AsDer:
        def sign(self, data: bytes, /) -> bytes:
            return bytes(sm2_sign(own.number, own.point, data))

    for how in (
        {"private_key": stranger},
        {"private_key": Cut()},
        {"private_key": AsDer()},
        {"private_key": hospital.key.private_key},
        {"alg": "ed25519"},
        {"alg": "hmac-sm3"},
        {"alg": "SM2-SM3"},
        {"key_id": hospital.key.key_id},
    ):
        wrong = hospital_by_sm2.signing_as(**how)
        wrong.get("/v1/payments").refused("signature-invalid", 401)


def test_a_session_is_begun_by_sm2(family: Family, hospital_by_sm2: Counter) -> None:
    ours = X25519PrivateKey.generate()
    counter = hospital_by_sm2.in_session(hospital_by_sm2.begin(ours).of(201), ours)
    told = counter.payment(counter.token(family.beneficiary), 500, bill=bill(500, purpose="x"))
    body = json.dumps(told).encode()
    assert counter.send("POST", "/v1/payments", body, new_key()).of(201)["amount_fen"] == 500
