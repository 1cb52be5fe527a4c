"""A clerk with a token: asks the gateway about months, and takes them through their steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

import httpx
import orjson

from sandbox.institution import Trace
from sandbox.patience import Reply, insist, reply_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk:
    """Somebody of an agency, known by name, who has a role."""

    name: str
    token: str = field(repr=False)
    gateway: str
    client: httpx.AsyncClient
    within_seconds: float = 60.0

    async def get(self, path: str) -> Reply:
        return await self._send("GET", path, {}, None, None)

    async def post(self, path: str, *, trace: Trace | None = None) -> Reply:
        """POST an empty body under a new key, the same at every try."""
        headers = {"content-type": "application/json", "idempotency-key": str(uuid4())}
        return await self._send("POST", path, headers, orjson.dumps({}), trace)

    async def _send(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        content: bytes | None,
        trace: Trace | None,
    ) -> Reply:
        sent = {"authorization": f"Bearer {self.token}", **headers}
        extensions = {} if trace is None else {"trace": trace}

        async def once() -> httpx.Response:
            return await self.client.request(
                method,
                self.gateway + path,
                headers=sent,
                content=content,
                extensions=extensions,
            )

        return reply_of(*await insist(once, within_seconds=self.within_seconds))
