"""The token issuer: JWTs for citizens and clerks, and the keys to verify them (OIDC discovery)."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import OKPKey

ALGORITHM = "Ed25519"
VALID_FOR_SECONDS = 12 * 3600
ISSUED_EARLIER_SECONDS = 5
"""A token is dated a little back, for clocks that are a little behind."""


class TokenIssuer:
    """Issues tokens under one Ed25519 key, whose id is its thumbprint (RFC 7638)."""

    def __init__(self, private_pem: bytes, *, issuer: str, audience: str) -> None:
        self._key = OKPKey.import_key(private_pem)
        self._key_id = self._key.thumbprint()
        self._issuer = issuer
        self._audience = audience

    def of_person(self, psn_no: str, pool_admdvs: str | None) -> str:
        """A citizen's token; the pool is left out where it is not known."""
        claims: dict[str, Any] = {"sub": psn_no, "psn_no": psn_no, "roles": []}
        if pool_admdvs is not None:
            claims["pool_admdvs"] = pool_admdvs
        return self._issued(claims)

    def of_clerk(self, clerk: str, roles: tuple[str, ...]) -> str:
        return self._issued({"sub": clerk, "clerk": clerk, "roles": list(roles)})

    def _issued(self, claims: dict[str, Any]) -> str:
        now = int(time.time())
        registered = {
            "iss": self._issuer,
            "aud": self._audience,
            "iat": now - ISSUED_EARLIER_SECONDS,
            "exp": now + VALID_FOR_SECONDS,
            "jti": uuid4().hex,
        }
        header = {"alg": ALGORITHM, "kid": self._key_id, "typ": "JWT"}
        return jwt.encode(header, registered | claims, self._key, algorithms=[ALGORITHM])

    def keys(self) -> dict[str, Any]:
        """The JWKS: the public half alone."""
        public = self._key.as_dict(private=False)
        return {"keys": [public | {"kid": self._key_id, "use": "sig", "alg": ALGORITHM}]}

    def discovery(self) -> dict[str, Any]:
        """What OpenID Connect discovery says of this issuer."""
        return {
            "issuer": self._issuer,
            "jwks_uri": f"{self._issuer}/.well-known/jwks.json",
            "token_endpoint": f"{self._issuer}/tokens",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "claims_supported": ["sub", "psn_no", "pool_admdvs", "clerk", "roles"],
        }
