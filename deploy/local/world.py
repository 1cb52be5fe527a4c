"""Who exists on a local stack: made-up hospitals, pharmacies and clerks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.local.checkout import Checkout, write_json
from deploy.local.keys import PROVINCES, Keys, kept, public_pem
from gm.signing import generate_key_pair, public_key_of

CLERKS = {"clearing": "林清算", "audit": "沈稽核", "prefund": "顾备付"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """`code` is fixmedins_code: H (hospital) or P (pharmacy) and eleven digits."""

    code: str
    name: str
    kind: str
    level: str
    mdtrtarea_admvs: str
    wallet_enabled: bool = True
    algorithm: str = "ed25519"

    @property
    def key_id(self) -> str:
        return f"{self.code}-1"


# The first of each kind is enabled, at Alar; callers rely on that order.
INSTITUTIONS = (
    Institution(
        code="H65900200001",
        name="阿拉尔示例医院",
        kind="hospital",
        level="3",
        mdtrtarea_admvs="659002",
    ),
    Institution(
        code="P65900200001",
        name="阿拉尔示例药店",
        kind="pharmacy",
        level="ungraded",
        mdtrtarea_admvs="659002",
    ),
    Institution(
        code="H44030000001",
        name="深圳示例医院",
        kind="hospital",
        level="3",
        mdtrtarea_admvs="440300",
    ),
    Institution(
        code="H11010000001",
        name="北京示例区医院",
        kind="hospital",
        level="2",
        mdtrtarea_admvs="110000",
    ),
    Institution(
        code="H65010000001",
        name="乌鲁木齐示例社区医院",
        kind="hospital",
        level="1",
        mdtrtarea_admvs="650100",
    ),
    Institution(
        code="P51010000001",
        name="成都示例药店",
        kind="pharmacy",
        level="ungraded",
        mdtrtarea_admvs="510100",
    ),
    Institution(
        code="P65900200002",
        name="阿拉尔未开通药店",
        kind="pharmacy",
        level="ungraded",
        mdtrtarea_admvs="659002",
        wallet_enabled=False,
    ),
    Institution(
        code="H65900200002",
        name="阿拉尔国密示例医院",
        kind="hospital",
        level="2",
        mdtrtarea_admvs="659002",
        algorithm="sm2-sm3",
    ),
)


def private_key_file(keys: Path, institution: Institution) -> Path:
    file = keys / "institutions" / f"{institution.code}.pem"

    def make() -> str:
        return generate_key_pair(institution.algorithm).private.decode()

    return kept(file, make)


def public_key(keys: Path, institution: Institution) -> str:
    private = private_key_file(keys, institution).read_bytes()
    return public_key_of(institution.algorithm, private).decode()


def write_world(checkout: Checkout, institutions: Sequence[Institution] = INSTITUTIONS) -> None:
    """The gateway's list of institutions, and what the sandbox shows of them."""
    registered = [
        {
            **registration(each),
            "keys": [
                {
                    "key_id": each.key_id,
                    "algorithm": each.algorithm,
                    "public_key_pem": public_key(checkout.keys, each),
                }
            ],
        }
        for each in institutions
    ]
    # A list, as `python -m gateway institutions register FILE` takes it anywhere.
    write_json(checkout.institutions_file, registered)
    shown = [
        {**registration(each), "key_id": each.key_id, "algorithm": each.algorithm}
        for each in institutions
    ]
    write_json(checkout.world_file, {"institutions": shown, "provinces": list(PROVINCES)})


def registration(institution: Institution) -> dict[str, Any]:
    return {key: value for key, value in asdict(institution).items() if key != "algorithm"}


def for_stack_file(checkout: Checkout, keys: Keys) -> dict[str, Any]:
    """The part of stack.json that says who may call, and with which keys."""
    return {
        "gateway_public_key": public_pem(keys.gateway_response),
        "clerks": CLERKS,
        "institutions": {
            each.code: {
                "name": each.name,
                "kind": each.kind,
                "level": each.level,
                "mdtrtarea_admvs": each.mdtrtarea_admvs,
                "key_id": each.key_id,
                "algorithm": each.algorithm,
                "private_key_file": str(private_key_file(checkout.keys, each)),
            }
            for each in INSTITUTIONS
        },
        "province_keys": json.loads(keys.provinces.read_text()),
    }
