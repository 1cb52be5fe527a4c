"""The decoder of electronic certificates: a scanned code goes in, its owner comes out."""

from __future__ import annotations

import asyncio
from typing import Annotated

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.domain.credentials import DecodedCertificate
from kit.refusal import NotFound, Unavailable

log = structlog.get_logger("gateway.decoder")


class _Decoded(BaseModel):
    """The part of `ec.query`'s answer that says who it is, in the decoder's own spelling."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    id_no: Annotated[str, Field(alias="idNo")]
    user_name: Annotated[str, Field(alias="userName")]
    id_type: Annotated[str, Field(alias="idType")]


class Decoder:
    """`url` takes POST {"value": …}; a code it does not know is 404."""

    def __init__(self, client: httpx.AsyncClient, *, url: str, seconds: float) -> None:
        self._client = client
        self._url = url
        self._seconds = seconds

    async def decode(self, value: str) -> DecodedCertificate:
        """Raises NotFound for a code that is not good, Unavailable without an answer."""
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._client.post(self._url, json={"value": value})
        except (httpx.HTTPError, TimeoutError) as error:
            log.warning("decoder.silent", error=type(error).__name__)
            raise Unavailable("the decoder of certificates did not answer") from None
        if response.status_code in (404, 422):
            raise NotFound("the code of the electronic certificate is not known")
        try:
            if response.status_code != 200:
                raise ValueError
            decoded = _Decoded.model_validate_json(response.text)
        except (ValidationError, ValueError):
            log.warning("decoder.strange", status=response.status_code)
            raise Unavailable("the decoder of certificates could not answer") from None
        return DecodedCertificate(
            psn_cert_type=decoded.id_type, cert_no=decoded.id_no, name=decoded.user_name
        )
