"""The opening: people open wallets, bind relations with both consents, and freeze quotas."""

from __future__ import annotations

from typing import Any

from sandbox.citizen import Citizen
from sandbox.patience import Reply
from sandbox.story.town import expect, until


def succeeded(reply: Reply, status: int, what: str) -> Any:
    """The answer's content. Raises Broken unless it has that status."""
    expect(reply.status == status, f"{what}: {reply.status} {reply.text}")
    return reply.json()


async def open_wallet(citizen: Citizen, *, child: Citizen | None = None) -> None:
    """R29: nobody takes part without a wallet of one's own; a guardian opens a child's."""
    asked = {} if child is None else {"on_behalf_of": child.psn_no}
    reply = await citizen.post("/v1/me/wallet", asked)
    expect(reply.status in (200, 201), f"a wallet opens: {reply.status} {reply.text}")
    expect(reply.json()["open"] is True, "the wallet is open")


async def bind(sharer: Citizen, beneficiary: Citizen, kind: str, *, of_age: bool = True) -> str:
    """R3: one proposes, the other consents; the id of the relation once it is active.

    R13: for who is under age the sharer consents, as the guardian.
    """
    asked = {
        "role": "sharer",
        "counterpart": {
            "psn_cert_type": beneficiary.psn_cert_type,
            "cert_no": beneficiary.cert_no,
            "name": beneficiary.name,
        },
        "kind": kind,
        "commitment_version": "1",
    }
    proposed = succeeded(await sharer.post("/v1/me/relations", asked), 201, "proposing")
    path = f"/v1/me/relations/{proposed['relation_id']}"
    if of_age:
        confirmed = await beneficiary.post(f"{path}/confirm", {})
    else:
        confirmed = await sharer.post(f"{path}/confirm", {"on_behalf_of": beneficiary.psn_no})
    succeeded(confirmed, 202, "confirming")

    async def active() -> str | None:
        seen = succeeded(await sharer.get(path), 200, "reading the relation")
        return str(seen["relation_id"]) if seen["state"] == "active" else None

    return await until(active, "the relation becomes active")


async def set_quota(sharer: Citizen, relation_id: str, available_fen: int) -> dict[str, Any]:
    """R9: what shall be spendable; the quota once the province has answered."""
    path = f"/v1/me/relations/{relation_id}/quota"
    asked = await sharer.put(path, {"available_fen": available_fen})
    quota_id = succeeded(asked, 202, "setting the quota")["quota_id"]

    async def answered() -> dict[str, Any] | None:
        quota = await quota_of(sharer, quota_id)
        return None if quota["state"] == "freezing" else quota

    return await until(answered, "the province answers the freeze")


async def quota_of(citizen: Citizen, quota_id: str) -> dict[str, Any]:
    """A quota as its sharer or beneficiary sees it now."""
    listed = succeeded(await citizen.get("/v1/me/quotas"), 200, "reading quotas")
    found = [quota for quota in listed["items"] if quota["quota_id"] == quota_id]
    expect(len(found) == 1, f"quota {quota_id} is listed once")
    quota: dict[str, Any] = found[0]
    return quota
