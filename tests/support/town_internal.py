"""What our own services ask one another, as tables ask it in their stead."""

from __future__ import annotations

from typing import Any

from tests.support.town import Town
from tests.support.town_families import ALAR
from tests.support.town_people import JSON, Letter, Said, bill


def pay_command(person_id: str, **change: Any) -> dict[str, Any]:
    """What the gateway makes of a payment."""
    told = {
        "person_id": person_id,
        "institution": "P65900200001",
        "institution_kind": "pharmacy",
        "mdtrtarea_admvs": ALAR,
        "wallet_enabled": True,
        "presence_expires_at": "2099-01-01T00:00:00Z",
        "purpose": "pharmacy",
        "bill": bill(100),
        "amount_fen": 100,
        "partial": False,
    }
    return told | change


def quote_command(person_id: str) -> dict[str, Any]:
    """What the gateway makes of a quote."""
    told = pay_command(person_id, instance="/v1/quotes")
    return {name: value for name, value in told.items() if name != "partial"}


def open_wallet_command(person_id: str, psn_no: str) -> dict[str, Any]:
    return {
        "person": {
            "person_id": person_id,
            "version": 1,
            "psn_no": psn_no,
            "pool_admdvs": ALAR,
            "insutype": "390",
            "insured": True,
        }
    }


async def ask_internally(
    town: Town, asked: str, body: bytes = b"", *, token: str | None = None
) -> Said:
    """Ask `SERVICE METHOD PATH` as the gateway does, or with another token."""
    service, method, path = asked.split(" ")
    bearer = town.site.service_token if token is None else token
    headers = {"authorization": f"Bearer {bearer}", "content-type": JSON}
    url = f"{town.site.stack[service]}{path}"
    return await town.messenger.ask(
        lambda: Letter(method=method, url=url, headers=headers, body=body)
    )
