"""What a province seals before it leaves: certificate number and name, under its own SM4 key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.events import Sealed
from gm.sm4gcm import Sm4Key, seal
from sandbox.domain.people import Person


@dataclass(frozen=True, slots=True)
class ProvinceKeys:
    """Province → its key."""

    keys: Mapping[str, Sm4Key]

    @classmethod
    def read(cls, text: str) -> ProvinceKeys:
        """From the JSON text of province → {key_id, sm4_key_hex}."""
        return cls(
            {
                province: Sm4Key(key_id=key["key_id"], key=bytes.fromhex(key["sm4_key_hex"]))
                for province, key in json.loads(text).items()
            }
        )

    def sealed(self, person: Person) -> Sealed:
        """Number and name, bound to the person's psn_no."""
        content = json.dumps({"cert_no": person.cert_no, "name": person.name}, ensure_ascii=False)
        made = seal(self.keys[person.province], content.encode(), aad=person.psn_no.encode())
        return Sealed.model_validate(made.to_wire())
