"""The platform as a citizen meets it: does it know this person yet?"""

from __future__ import annotations

import asyncio

import httpx

from sandbox.domain.refusals import PlatformSilent

ASK_AGAIN_SECONDS = 0.05
ANSWER_WITHIN_SECONDS = 3.0


class Platform:
    """The gateway's citizens' door."""

    def __init__(self, client: httpx.AsyncClient, *, within_seconds: float) -> None:
        self._client = client
        self._within_seconds = within_seconds

    async def knows(self, token: str) -> None:
        """Return once the gateway answers for this citizen. Raises PlatformSilent."""
        said = "nothing"
        try:
            async with asyncio.timeout(self._within_seconds):
                while True:
                    said = await self._ask(token)
                    if said == "200":
                        return
                    # The platform has no call that waits for a person to be known.
                    await asyncio.sleep(ASK_AGAIN_SECONDS)
        except TimeoutError:
            raise PlatformSilent(
                f"after {self._within_seconds:g} s GET /v1/me/wallet last said {said}"
            ) from None

    async def _ask(self, token: str) -> str:
        try:
            response = await self._client.get(
                "/v1/me/wallet",
                headers={"Authorization": f"Bearer {token}"},
                timeout=ANSWER_WITHIN_SECONDS,
            )
        except httpx.HTTPError as error:
            return type(error).__name__
        return str(response.status_code)
