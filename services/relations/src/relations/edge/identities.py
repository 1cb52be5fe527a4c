"""Certificates and names: opened as a province sealed them, kept under our own key.

Nothing leaves this file in clear but a masked name. Numbers are found again by blind index.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from contracts import events
from contracts.vocabulary import CertNo, Fact, ShortText
from gm.blind_index import blind_index
from gm.identity_number import (
    IDENTITY_CARD,
    Certificate,
    CertificateInvalid,
    check_certificate,
    mask_name,
)
from gm.sm4gcm import NotAuthentic, Sealed, Sm4Key, open_sealed, seal
from kit.consume import Poison
from relations.domain.names import comparable
from relations.domain.people import Identity


class Told(Fact):
    """What a province seals."""

    cert_no: CertNo
    name: ShortText


class ProvinceKey(BaseModel):
    """An entry of PROVINCE_KEYS_FILE."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_id: str
    sm4_key_hex: str


def province_keys(text: str) -> dict[str, Sm4Key]:
    """The keys of PROVINCE_KEYS_FILE. Raises ValueError for what is not one."""
    keys = TypeAdapter(dict[str, ProvinceKey]).validate_json(text)
    return {
        province: Sm4Key(key_id=key.key_id, key=bytes.fromhex(key.sm4_key_hex))
        for province, key in keys.items()
    }


class Identities:
    """Opens, keeps and compares identities; holds the keys."""

    def __init__(self, *, own: Sm4Key, index_key: bytes, provinces: Mapping[str, Sm4Key]) -> None:
        self._own = own
        self._index_key = index_key
        self._provinces = dict(provinces)

    def received(self, province: str, body: events.EnrolmentChanged, on: date) -> Identity | None:
        """What the province sealed, checked and sealed anew; None where it sealed nothing.

        `on` is the day that no birth may follow. Raises Poison, which never carries what it read.
        """
        if body.sealed is None:
            return None
        told = self._told(province, body.psn_no, body.sealed)
        try:
            certificate = check_certificate(
                body.psn_cert_type or IDENTITY_CARD, told.cert_no, on=on
            )
        except CertificateInvalid as error:
            raise Poison("bad-certificate", error.reason) from None
        return self.kept(certificate, told.name, born_on=body.born_on)

    def _told(self, province: str, psn_no: str, wire: events.Sealed) -> Told:
        key = self._provinces.get(province)
        if key is None:
            raise Poison("no-key-of-province")
        try:
            sealed = Sealed.from_wire(wire.model_dump())
            opened = open_sealed(key, sealed, aad=psn_no.encode())
        except NotAuthentic as error:
            raise Poison("not-authentic", str(error)) from None
        try:
            return Told.model_validate_json(opened)
        except ValidationError:
            raise Poison("bad-identity") from None

    def kept(self, certificate: Certificate, name: str, *, born_on: date | None) -> Identity:
        """An identity as it is stored; an identity card knows its date of birth better."""
        index = self.index(certificate)
        plain = orjson.dumps({"cert_no": certificate.cert_no, "name": name})
        sealed = seal(self._own, plain, aad=index)
        return Identity(
            psn_cert_type=certificate.psn_cert_type,
            blind_index=index,
            name_index=self.name_index(certificate, name),
            key_id=sealed.key_id,
            nonce=sealed.nonce,
            ciphertext=sealed.ciphertext,
            born_on=certificate.born_on or born_on,
        )

    def index(self, certificate: Certificate) -> bytes:
        return blind_index(self._index_key, certificate.psn_cert_type, certificate.cert_no)

    def name_index(self, certificate: Certificate, name: str) -> bytes:
        return blind_index(
            self._index_key,
            "name",
            certificate.psn_cert_type,
            certificate.cert_no,
            comparable(name),
        )

    def name_masked(self, identity: Identity) -> str:
        sealed = Sealed(
            key_id=identity.key_id, nonce=identity.nonce, ciphertext=identity.ciphertext
        )
        opened = orjson.loads(open_sealed(self._own, sealed, aad=identity.blind_index))
        return mask_name(opened["name"])
