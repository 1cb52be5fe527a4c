"""What provinces and the wallet tell relations in tests, and the people they tell of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import orjson

from contracts import events
from gm.identity_number import check_digit
from gm.sm4gcm import Sm4Key, seal
from kit.records import Raw, cloud_event_headers
from policy import areas
from relations.edge.identities import Identities

SHENZHEN, BEIJING, ALAR = "440300", "110000", "659002"
PROVINCE_KEYS = {
    province: Sm4Key(key_id=f"{province}-1", key=sha256(province.encode()).digest()[:16])
    for province in ("440000", "110000", "660000", "460000", "650000")
}
OWN_KEY = Sm4Key(key_id="1", key=bytes(range(16)))
INDEX_KEY = bytes(range(32))
TOKEN = "a-token-between-services"
TOLD_AT = datetime(2026, 11, 1, 4, tzinfo=UTC)

_numbers = count(1)
_people = count(1)


def identities() -> Identities:
    return Identities(own=OWN_KEY, index_key=INDEX_KEY, provinces=PROVINCE_KEYS)


def identity_number() -> str:
    """A made-up number that passes the checksum; no area has the code 990000."""
    days, sequence = divmod(next(_people), 1000)
    first_17 = f"990000{date(1980, 1, 1) + timedelta(days=days):%Y%m%d}{sequence:03}"
    return first_17 + check_digit(first_17)


@dataclass(frozen=True, kw_only=True)
class Somebody:
    """A person of the outside world."""

    cert_no: str
    name: str
    psn_no: str
    pool_admdvs: str
    insutype: str
    person_id: UUID | None = None

    @property
    def id(self) -> UUID:
        assert self.person_id is not None, "relations does not know them yet"
        return self.person_id


def somebody(pool_admdvs: str = SHENZHEN, insutype: str = "310", **known: Any) -> Somebody:
    n = next(_numbers)
    given = {"cert_no": identity_number(), "name": f"张{n}三", "psn_no": f"{n:011}"}
    return Somebody(pool_admdvs=pool_admdvs, insutype=insutype, **(given | known))


def sealed(person: Somebody, province: str | None = None, **changes: Any) -> dict[str, str]:
    """Certificate and name as the person's province seals them."""
    plain = orjson.dumps({"cert_no": person.cert_no, "name": person.name} | changes)
    key = PROVINCE_KEYS[province or province_of(person.pool_admdvs)]
    return seal(key, plain, aad=person.psn_no.encode()).to_wire()


def province_of(pool_admdvs: str) -> str:
    return areas.province_of(pool_admdvs, TOLD_AT.date())


def enrolment(person: Somebody, **changes: Any) -> dict[str, Any]:
    """The body of an `enrolment.changed`; None takes a field away."""
    body = {
        "psn_no": person.psn_no,
        "insutype": person.insutype,
        "pool_admdvs": person.pool_admdvs,
        "status": "active",
        "since": "2026-01-01",
        "psn_cert_type": "01",
        "sealed": sealed(person),
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def raw_of(
    topic: str,
    key: str,
    type_: str,
    body: bytes,
    *,
    source: str,
    told_at: datetime = TOLD_AT,
    sequence: int | None = None,
    event_id: str | None = None,
) -> Raw:
    headers = cloud_event_headers(
        id=event_id or str(uuid4()),
        type=type_,
        source=source,
        subject=None,
        time=told_at,
        sequence=sequence,
        traceparent=None,
    )
    return Raw(
        topic=topic,
        partition=0,
        offset=next(_numbers),
        key_bytes=key.encode(),
        headers=tuple(headers),
        value=body,
    )


def told(person: Somebody, told_at: datetime = TOLD_AT, **changes: Any) -> Raw:
    body = enrolment(person, **changes)
    province = province_of(body.get("pool_admdvs", person.pool_admdvs))
    return raw_of(
        f"from.{province}",
        person.psn_no,
        events.EnrolmentChanged.TYPE,
        orjson.dumps(body),
        source=f"/provinces/{province}",
        told_at=told_at,
    )


def registered(
    person: Somebody,
    area: str = ALAR,
    told_at: datetime = TOLD_AT,
    *,
    province: str | None = None,
    **changes: Any,
) -> Raw:
    """A province tells where somebody may be treated; None takes a field away."""
    body = {
        "psn_no": person.psn_no,
        "mdtrtarea_admvs": area,
        "from": "2026-01-01",
        "to": "2026-12-31",
    } | changes
    province = province or province_of(person.pool_admdvs)
    return raw_of(
        f"from.{province}",
        person.psn_no,
        events.RegistrationChanged.TYPE,
        orjson.dumps({name: value for name, value in body.items() if value is not None}),
        source=f"/provinces/{province}",
        told_at=told_at,
    )


def quota_opened(
    relation_id: UUID, sharer_id: UUID, beneficiary_id: UUID, sequence: int | None = None
) -> Raw:
    body = events.QuotaOpened(
        quota_id=uuid4(),
        relation_id=relation_id,
        sharer_id=sharer_id,
        beneficiary_id=beneficiary_id,
    )
    return raw_of(
        "wallet.quota",
        str(beneficiary_id),
        events.QuotaOpened.TYPE,
        body.model_dump_json().encode(),
        source="/wallet/cell-0",
        sequence=sequence,
    )


def quota_ended(relation_id: UUID, sharer_id: UUID, beneficiary_id: UUID) -> Raw:
    quota_id = uuid4()
    body = events.QuotaEnded(
        quota_id=quota_id,
        relation_id=relation_id,
        sharer_id=sharer_id,
        beneficiary_id=beneficiary_id,
        reason="will",
        amount_fen=0,
        balances=events.Balances(
            quota_id=quota_id,
            granted_fen=0,
            available_fen=0,
            held_fen=0,
            spent_fen=0,
            restoring_fen=0,
            returned_fen=0,
        ),
    )
    return raw_of(
        "wallet.quota",
        str(beneficiary_id),
        events.QuotaEnded.TYPE,
        body.model_dump_json().encode(),
        source="/wallet/cell-0",
    )
