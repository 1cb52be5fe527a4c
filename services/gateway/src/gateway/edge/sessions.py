"""`POST /v1/sessions`: one costly signature, then a MAC for some hours."""

from __future__ import annotations

import base64
from uuid import NAMESPACE_URL, uuid5

from contracts.public import NewSession, Session
from contracts.refusals import TooManySessions
from gateway.domain.institutions import owner_of
from gateway.edge.endpoint import Asked, Route
from gateway.edge.routes import OWN_KEY, SIGNED_REFUSALS
from gateway.edge.signatures import KeyHolder
from gateway.usecases.begin_session import BeginSession
from kit import tracing
from kit.answers import Answer, problem
from kit.batch import Batcher
from kit.frame import Internal
from kit.perform import Door
from kit.refusal import Forbidden, InProgress, KeyRequired, KeyReused
from kit.work import Job, Outcome, ReceiptKey

COMMANDS = uuid5(NAMESPACE_URL, "urn:gongji:gateway:session")

NOTES = """\
The key of the session is HKDF-SHA256(X25519 shared secret, no salt, info `gongji session <key_id>`,
32 bytes). From then on requests are signed with it: `keyid` is the session's, the algorithm
`hmac-sm3` (HMAC with SM3 over the signature base). Answers to requests that it verified are signed
with the same key and name it as their `keyid`; every other answer, this one too, is signed with the
gateway's long key. A session ends at `expires_at`, or with the long key that began it: both are
`signature-invalid` afterwards. A session begins no other session (`forbidden`).
`x25519_public_key` is base64 of 32 bytes, standard alphabet with padding; a point of low order is
`invalid`."""


class Sessions:
    """Sessions of institutions; `door` keeps the answers for their replays."""

    def __init__(self, *, door: Door) -> None:
        self._jobs: Batcher[Job, Outcome] = Batcher(door.perform)

    def routes(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/v1/sessions",
                summary="Begin a session: a key both sides derive, cheaper to sign with",
                authentication=OWN_KEY,
                perform=self.begin,
                answers={201: Session},
                body=NewSession,
                needs_key=True,
                refusals=(
                    *SIGNED_REFUSALS,
                    Forbidden,
                    KeyRequired,
                    KeyReused,
                    InProgress,
                    TooManySessions,
                ),
                notes=NOTES,
            )
        ]

    async def begin(self, asked: Asked[KeyHolder, NewSession]) -> Answer:
        code = asked.caller.institution.code
        owner, caller = owner_of(code), f"institution:{code}"
        outcome = await self._jobs.submit(
            Job(
                command=BeginSession(
                    institution=code,
                    begun_by=asked.caller.key_id,
                    public=base64.b64decode(asked.body.x25519_public_key),
                ),
                command_id=uuid5(COMMANDS, f"{caller}\n{asked.key}"),
                anchors=(owner,),
                receipt=ReceiptKey(
                    caller=caller, scope=owner, key=asked.key, fingerprint=asked.fingerprint
                ),
                instance=asked.path,
                traceparent=tracing.current(),
            )
        )
        return outcome if isinstance(outcome, Answer) else problem(Internal(), asked.path)

    async def close(self) -> None:
        await self._jobs.close()
