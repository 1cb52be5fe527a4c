"""Callers with a bearer token (OIDC): citizens, and clerks by their roles.

Keys come from the issuer's JWKS and are cached.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.refusals import TokenInvalid
from contracts.vocabulary import Admdvs, PsnNo, ShortText
from gateway.edge.endpoint import Request, now
from gm.components import joined_fields
from kit.refusal import Forbidden, Unavailable

log = structlog.get_logger("gateway.tokens")

ALGORITHMS = ("EdDSA", "Ed25519", "ES256", "RS256", "PS256")
LONGEST_TOKEN = 8192
CACHED_SECONDS = 300.0
AGAIN_SECONDS = 1.0
ASK_SECONDS = 2.0
LEEWAY_SECONDS = 5


class Claims(BaseModel):
    """The claims of a token that matter here: a citizen's has `psn_no`, a clerk's `clerk`."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    psn_no: PsnNo | None = None
    pool_admdvs: Admdvs | None = None
    clerk: ShortText | None = None
    roles: Annotated[tuple[str, ...], Field(strict=False)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Citizen:
    """A citizen by the number of the insured; the pool where the token names it."""

    psn_no: str
    pool_admdvs: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk:
    """Somebody of an agency, by name, who may do what the route is for."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """A citizen or a clerk whose token is good."""

    caller: Citizen | Clerk
    fields: Mapping[str, str]

    async def admit(self) -> None:
        """A bearer token may be used until it expires."""


class IssuerKeys:
    """The issuer's public keys. An unknown key asks again, but not for every forged token."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url
        self._keys: KeySet | None = None
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._asking = asyncio.Lock()

    async def current(self, *, other_than: KeySet | None = None) -> KeySet:
        """The keys; newer ones, if there are, than those a token's key was not among.

        Raises Unavailable while there are none.
        """
        async with self._asking:
            moment = time.monotonic()
            old = moment - self._read_at > CACHED_SECONDS or self._keys is other_than
            if old and moment - self._tried_at > AGAIN_SECONDS:
                self._tried_at = moment
                await self._ask()
        if self._keys is None:
            raise Unavailable("the issuer of tokens did not answer")
        return self._keys

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                response = await self._client.get(self._url)
            response.raise_for_status()
            self._keys = KeySet.import_key_set(response.json())
            self._read_at = time.monotonic()
        except (httpx.HTTPError, TimeoutError, JoseError, ValueError, KeyError, TypeError) as error:
            # The keys of before stay good while the issuer is away.
            log.warning("issuer.silent", error=type(error).__name__)


class Tokens:
    """Verifies a citizen's token. A clerk's is good too, but not for citizens' routes."""

    challenge = 'Bearer error="invalid_token"'

    def __init__(self, keys: IssuerKeys, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def verify(self, request: Request) -> VerifiedToken:
        """Raises TokenInvalid, Forbidden for a clerk, Unavailable while there are no keys."""
        claims, fields = await self.claims_of(request)
        return VerifiedToken(caller=citizen_of(claims), fields=fields)

    async def claims_of(self, request: Request) -> tuple[Claims, Mapping[str, str]]:
        """What a good token claims, and the request's fields. Raises TokenInvalid, Unavailable."""
        fields = joined_fields(request.headers)
        scheme, _, token = fields.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
            raise TokenInvalid("Authorization: Bearer and a token are needed")
        if not token.isascii():
            raise TokenInvalid
        return self._checked(await self._claims(token)), fields

    async def _claims(self, token: str) -> Mapping[str, Any]:
        keys = await self._keys.current()
        try:
            return jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError, TypeError, KeyError):
            pass
        newer = await self._keys.current(other_than=keys)
        if newer is not keys:
            try:
                return jwt.decode(token, newer, algorithms=ALGORITHMS).claims
            except (JoseError, ValueError, TypeError, KeyError):
                pass
        raise TokenInvalid("the token is not signed by a key of the issuer")

    def _checked(self, claims: Mapping[str, Any]) -> Claims:
        registry = jwt.JWTClaimsRegistry(
            now=int(now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
        )
        try:
            registry.validate(dict(claims))
        except JoseError as why:
            raise TokenInvalid(f"the token is not good: {why.error}") from None
        try:
            return Claims.model_validate(dict(claims))
        except ValidationError:
            raise TokenInvalid("psn_no, pool_admdvs, clerk or roles is malformed") from None


class ClerkTokens:
    """Verifies the token of a clerk who has one of these roles."""

    challenge = Tokens.challenge

    def __init__(self, tokens: Tokens, *roles: str) -> None:
        self._tokens = tokens
        self._roles = roles

    async def verify(self, request: Request) -> VerifiedToken:
        """Raises as `Tokens` does, and Forbidden for a citizen and for clerks without a role."""
        claims, fields = await self._tokens.claims_of(request)
        return VerifiedToken(caller=clerk_of(claims, self._roles), fields=fields)


class CitizenOrClerkTokens:
    """Verifies a citizen's token, or that of a clerk who has one of these roles."""

    challenge = Tokens.challenge

    def __init__(self, tokens: Tokens, *roles: str) -> None:
        self._tokens = tokens
        self._roles = roles

    async def verify(self, request: Request) -> VerifiedToken:
        """Raises as `Tokens` does, and Forbidden for clerks without a role."""
        claims, fields = await self._tokens.claims_of(request)
        if claims.psn_no is not None:
            return VerifiedToken(caller=citizen_of(claims), fields=fields)
        return VerifiedToken(caller=clerk_of(claims, self._roles), fields=fields)


def citizen_of(claims: Claims) -> Citizen:
    """Raises Forbidden for a clerk."""
    if claims.psn_no is None:
        raise Forbidden("this is for citizens")
    return Citizen(psn_no=claims.psn_no, pool_admdvs=claims.pool_admdvs)


def clerk_of(claims: Claims, roles: Sequence[str]) -> Clerk:
    """Raises Forbidden for a citizen and for clerks without one of the roles."""
    if claims.clerk is None or claims.psn_no is not None:
        raise Forbidden("this is for clerks")
    if not set(roles) & set(claims.roles):
        raise Forbidden(f"this is for clerks with the role {' or '.join(roles)}")
    return Clerk(name=claims.clerk)
