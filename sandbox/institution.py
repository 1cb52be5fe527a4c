"""A hospital or pharmacy: signs what it asks, verifies what it is answered, and insists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson

from gm.message_signatures import sign_request, verify_response
from gm.signing import SigningKey, VerifyingKey, signing_key, verifying_key
from sandbox.patience import Reply, insist, reply_of

GATEWAY_KEY_ID = "gateway"
Trace = Callable[[str, Mapping[str, Any]], Awaitable[None]]
"""Called with the name of each step of a request on its way."""


@dataclass(slots=True, kw_only=True)
class Institution:
    """One institution at the gateway. `exchanges` are all its answers under a key, as they came.

    Each try has a nonce and a signature of its own; key and body stay the same.
    """

    code: str
    name: str
    level: str
    mdtrtarea_admvs: str
    gateway: str
    key: SigningKey
    gateway_key: VerifyingKey
    client: httpx.AsyncClient
    within_seconds: float = 60.0
    exchanges: list[tuple[str, Reply]] = field(default_factory=list)

    async def post(
        self, path: str, body: object, *, key: str | None = None, trace: Trace | None = None
    ) -> Reply:
        """POST under a key (a new one unless given). Raises NotAnswered, SignatureInvalid."""
        key = key or str(uuid4())
        headers = {"content-type": "application/json", "idempotency-key": key}
        reply = await self._send("POST", path, headers, orjson.dumps(body), trace)
        self.exchanges.append((key, reply))
        return reply

    async def get(self, path: str) -> Reply:
        """GET. Raises NotAnswered, SignatureInvalid."""
        return await self._send("GET", path, {}, b"", None)

    async def _send(
        self, method: str, path: str, headers: dict[str, str], body: bytes, trace: Trace | None
    ) -> Reply:
        url = self.gateway + path
        sent: dict[str, str] = {}

        async def once() -> httpx.Response:
            sent.clear()
            sent.update(headers)
            sent.update(
                sign_request(
                    self.key,
                    method=method,
                    target_uri=url,
                    headers=list(headers.items()),
                    body=body,
                    now=datetime.now(UTC),
                )
            )
            extensions = {} if trace is None else {"trace": trace}
            return await self.client.request(
                method, url, headers=sent, content=body, extensions=extensions
            )

        response, tries = await insist(once, within_seconds=self.within_seconds)
        verify_response(
            self.gateway_key,
            status=response.status_code,
            headers=response.headers.raw,
            body=response.content,
            request_headers=list(sent.items()),
            now=datetime.now(UTC),
        )
        return reply_of(response, tries)


def institution_of(stack: Mapping[str, Any], code: str, client: httpx.AsyncClient) -> Institution:
    """The institution as `stack.json` describes it, with its own private key."""
    told = stack["institutions"][code]
    algorithm = told["algorithm"]
    private = Path(told["private_key_file"]).read_bytes()
    public = str(stack["gateway_public_key"]).encode()
    return Institution(
        code=code,
        name=told["name"],
        level=told["level"],
        mdtrtarea_admvs=told["mdtrtarea_admvs"],
        gateway=stack["gateway"],
        key=signing_key(told["key_id"], algorithm, private),
        gateway_key=verifying_key(GATEWAY_KEY_ID, "ed25519", public),
        client=client,
    )
