"""A citizen with a token: asks the gateway about the own wallet, relations and quotas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import orjson

from sandbox.patience import Reply, insist, reply_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Citizen:
    """Somebody whom the sandbox made; `province` keeps their account."""

    psn_no: str
    name: str
    psn_cert_type: str
    cert_no: str
    insutype: str
    insuplc_admdvs: str
    province: str
    token: str
    gateway: str
    client: httpx.AsyncClient
    within_seconds: float = 60.0

    async def get(self, path: str) -> Reply:
        return await self._send("GET", path)

    async def post(self, path: str, body: object) -> Reply:
        """POST under a new key, the same at every try."""
        return await self._send("POST", path, body, {"idempotency-key": str(uuid4())})

    async def put(self, path: str, body: object) -> Reply:
        return await self._send("PUT", path, body)

    async def _send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        sent = {"authorization": f"Bearer {self.token}", **(headers or {})}
        content = None
        if body is not None:
            sent["content-type"] = "application/json"
            content = orjson.dumps(body)

        async def once() -> httpx.Response:
            return await self.client.request(
                method, self.gateway + path, headers=sent, content=content
            )

        return reply_of(*await insist(once, within_seconds=self.within_seconds))
