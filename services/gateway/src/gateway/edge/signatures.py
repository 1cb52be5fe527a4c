"""Callers that sign (RFC 9421): institutions, known by their keys; a nonce is used once (R28)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from contracts.public import Institution
from contracts.refusals import SignatureInvalid, SignatureReplayed
from gateway.domain.institutions import PublicKey
from gateway.domain.sessions import ALGORITHM, SealBroken, SessionSeal
from gateway.edge.endpoint import Request, now
from gateway.store import institutions, nonces, sessions
from gateway.store.institutions import KnownKey
from gateway.store.nonces import Nonce
from gm import message_signatures
from gm.message_signatures import Signed
from gm.signing import SigningKey, VerifyingKey, signing_key, verifying_key
from kit.batch import Batcher
from kit.faultpoint import declare, faultpoint
from kit.postgres import Pool, is_passing
from kit.refusal import Forbidden, Unavailable

declare("gateway.after-nonce")

log = structlog.get_logger("gateway.signatures")

T = TypeVar("T")

CONNECTION_SECONDS = 1.0
KEPT_SECONDS = 2 * message_signatures.MAX_AGE_SECONDS + 60
"""How long after `created` a nonce is kept: no signature so old is believed by any clock."""

LONGEST_KEY_ID = 100
MOST_CACHED_KEYS = 100_000
MOST_PRUNED = 10_000


async def from_database(asked: Awaitable[T]) -> T:
    """What the database says. Raises Unavailable where it cannot be had now."""
    try:
        return await asked
    except Exception as error:
        if is_passing(error):
            raise Unavailable("the database did not answer") from error
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """An institution and the key it signs with, ready to verify.

    `answers` is what signs the answers to a session's requests. `good_until` is by the process's
    monotonic clock: a session is forgotten when it expires, however long keys are remembered.
    """

    known: KnownKey
    key: VerifyingKey
    answers: SigningKey | None
    good_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the database said of a key; `at` is when it was asked, by the monotonic clock."""

    known: KnownKey | None
    at: float


class Signers:
    """Live keys by their id, remembered for a few seconds: a retired key dies with them."""

    def __init__(self, pool: Pool, *, seal: SessionSeal, seconds: float) -> None:
        self._pool = pool
        self._seal = seal
        self._seconds = seconds
        self._cached: dict[str, Signer] = {}
        self._reads: Batcher[str, Said] = Batcher(self._read)

    async def find(self, key_id: str) -> Signer | None:
        """The signer behind a key id; None if no live key has it. Raises Unavailable."""
        cached = self._cached.get(key_id)
        if cached is not None and time.monotonic() < cached.good_until:
            return cached
        if len(key_id) > LONGEST_KEY_ID:
            return None
        said = await self._reads.submit(key_id)
        signer = None
        if said.known is not None:
            signer = self._signer(said.known, said.at, self._cached.get(key_id))
        if signer is None:
            self._cached.pop(key_id, None)
            return None
        if len(self._cached) >= MOST_CACHED_KEYS:
            self._cached.clear()
        self._cached[key_id] = signer
        return signer

    async def _read(self, key_ids: Sequence[str]) -> list[Said]:
        at = time.monotonic()
        asked = institutions.live_keys(self._pool, key_ids, within=CONNECTION_SECONDS)
        found = await from_database(asked)
        return [Said(known=found.get(key_id), at=at) for key_id in key_ids]

    async def prune(self) -> None:
        """Forget sessions that have expired."""
        while True:
            asked = sessions.prune(self._pool, most=MOST_PRUNED, within=CONNECTION_SECONDS)
            if await from_database(asked) < MOST_PRUNED:
                return

    def _signer(self, known: KnownKey, at: float, cached: Signer | None) -> Signer | None:
        said, seconds = known.key, self._seconds
        if known.seconds_left is not None:
            seconds = min(seconds, known.seconds_left)
        good_until = at + seconds
        if cached is not None and cached.known.key == said:
            return replace(cached, known=known, good_until=good_until)
        if isinstance(said, PublicKey):
            key = verifying_key(said.key_id, said.algorithm, said.public_key.encode())
            return Signer(known=known, key=key, answers=None, good_until=good_until)
        try:
            secret = self._seal.open(said)
        except SealBroken:
            # Sealed by a key that is no longer among ours: as if it had expired.
            log.warning("session.unreadable", key_id=said.key_id)
            return None
        return Signer(
            known=known,
            key=verifying_key(said.key_id, ALGORITHM, secret),
            answers=signing_key(said.key_id, ALGORITHM, secret),
            good_until=good_until,
        )


class UsedNonces:
    """Nonces that were used, over all processes; kept in batches without waiting for the disk.

    Should a crash of PostgreSQL forget some, a replayed POST only replays its answer.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._batches = Batcher(self._claim, most=1000)

    async def claim(self, nonce: Nonce) -> None:
        """Use a nonce. Raises SignatureReplayed where it was used before, Busy, Unavailable."""
        if not await self._batches.submit(nonce):
            raise SignatureReplayed("the nonce of the signature was used before")

    async def _claim(self, used: Sequence[Nonce]) -> list[bool]:
        asked = nonces.claim(self._pool, used, within=CONNECTION_SECONDS)
        fresh = await from_database(asked)
        faultpoint("gateway.after-nonce")
        answers = []
        for nonce in used:
            name = (nonce.key_id, nonce.nonce)
            answers.append(name in fresh)
            # Of two alike in one batch the first was the new one.
            fresh.discard(name)
        return answers

    async def prune(self) -> None:
        """Forget nonces whose signatures are too old to be believed."""
        while True:
            asked = nonces.prune(
                self._pool, seconds=KEPT_SECONDS, most=MOST_PRUNED, within=CONNECTION_SECONDS
            )
            if await from_database(asked) < MOST_PRUNED:
                return


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """An institution that signed with a key of its own, and which."""

    institution: Institution
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSignature:
    """An institution whose signature fits."""

    caller: Institution | KeyHolder
    fields: Mapping[str, str]
    signed: Signed
    nonces: UsedNonces

    async def admit(self) -> None:
        await self.nonces.claim(
            Nonce(key_id=self.signed.keyid, nonce=self.signed.nonce, created=self.signed.created)
        )


class Signatures:
    """Verifies the signature of a request and names the institution behind it."""

    challenge = "Signature"

    def __init__(self, *, public_url: str, signers: Signers, nonces: UsedNonces) -> None:
        self._public_url = public_url.rstrip("/")
        self._signers = signers
        self.nonces = nonces

    async def verify(self, request: Request) -> VerifiedSignature:
        """Raises SignatureInvalid, and Unavailable where keys cannot be read."""
        signer, signed, fields = await self.signer_of(request)
        return VerifiedSignature(
            caller=signer.known.institution, fields=fields, signed=signed, nonces=self.nonces
        )

    async def signer_of(self, request: Request) -> tuple[Signer, Signed, Mapping[str, str]]:
        """The signer, what was signed, the request's fields; raises as `verify` does."""
        try:
            candidates = message_signatures.parse_request(
                method=request.method,
                target_uri=f"{self._public_url}{request.target}",
                headers=request.headers,
            )
        except message_signatures.SignatureInvalid as why:
            raise SignatureInvalid(why.reason) from None
        reason = "no live key has this id"
        for candidate in candidates:
            signer = await self._signers.find(candidate.keyid)
            if signer is None:
                continue
            try:
                signed = message_signatures.verify_request(
                    candidate, signer.key, body=request.body, now=now()
                )
            except message_signatures.SignatureInvalid as why:
                reason = why.reason
                continue
            if request.proof is not None:
                request.proof.signed = signed
                request.proof.answers = signer.answers
            return signer, signed, candidate.message.fields
        raise SignatureInvalid(reason)


class OwnKeySignatures:
    """Signatures by an institution's own key: what a session may not do."""

    challenge = Signatures.challenge

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures

    async def verify(self, request: Request) -> VerifiedSignature:
        """Raises as `Signatures` does, and Forbidden for the key of a session."""
        signer, signed, fields = await self._signatures.signer_of(request)
        if signer.answers is not None:
            raise Forbidden("a session is begun with a key of the institution's own")
        return VerifiedSignature(
            caller=KeyHolder(institution=signer.known.institution, key_id=signed.keyid),
            fields=fields,
            signed=signed,
            nonces=self._signatures.nonces,
        )
