"""Answers of other services that are kept here: a clerk's request is performed once a key.

    running here       in-progress
    answered before    the same text once more; another request under the key is key-reused
    neither            another service is asked, what it says for good is kept

Two processes may ask for the same key at once. Both steps are then taken, which may be repeated,
and both callers get the answer that was kept first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from gateway.edge.endpoint import Asked
from gateway.edge.tokens import Clerk
from gateway.usecases.keep_answer import KeepAnswer
from kit import tracing
from kit.answers import Answer, problem
from kit.batch import Batcher
from kit.frame import Internal
from kit.perform import Door
from kit.postgres import Pool
from kit.reading import reading
from kit.receipts import read_receipts
from kit.refusal import InProgress, KeyReused
from kit.work import Job, Outcome, ReceiptKey

COMMANDS = uuid5(NAMESPACE_URL, "urn:gongji:gateway:clerk")


class KeptAnswers:
    """First answers to clerks, by their key; `door` keeps them."""

    def __init__(self, *, pool: Pool, door: Door) -> None:
        self._pool = pool
        self._jobs: Batcher[Job, Outcome] = Batcher(door.perform)
        self._running: set[tuple[str, UUID, str]] = set()

    async def once(
        self, asked: Asked[Clerk, Any], perform: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Perform what is asked, unless its key has an answer; final answers are kept.

        Raises InProgress, KeyReused, Unavailable, and whatever `perform` raises.
        """
        receipt = receipt_of(asked)
        if receipt.name in self._running:
            raise InProgress
        self._running.add(receipt.name)
        try:
            earlier = await self._earlier(receipt)
            if earlier is not None:
                return earlier
            given = await perform()
            return await self._kept(asked, receipt, given) if given.kept else given
        finally:
            self._running.remove(receipt.name)

    async def _earlier(self, receipt: ReceiptKey) -> Answer | None:
        async with reading(self._pool) as tx:
            _, found = await read_receipts(tx, [receipt])
        if receipt.name not in found:
            return None
        fingerprint, given = found[receipt.name]
        if fingerprint != receipt.fingerprint:
            raise KeyReused
        return given

    async def _kept(self, asked: Asked[Clerk, Any], receipt: ReceiptKey, given: Answer) -> Answer:
        outcome = await self._jobs.submit(
            Job(
                command=KeepAnswer(answer=given),
                command_id=uuid5(COMMANDS, f"{receipt.caller}\n{receipt.key}"),
                anchors=(receipt.scope,),
                receipt=receipt,
                instance=asked.path,
                traceparent=tracing.current(),
            )
        )
        return outcome if isinstance(outcome, Answer) else problem(Internal(), asked.path)

    async def close(self) -> None:
        await self._jobs.close()


def receipt_of(asked: Asked[Clerk, Any]) -> ReceiptKey:
    """Under which name a clerk's answer is kept: keys are scoped to the clerk."""
    caller = f"clerk:{asked.caller.name}"
    return ReceiptKey(
        caller=caller,
        scope=uuid5(NAMESPACE_URL, f"urn:gongji:{caller}"),
        key=asked.key,
        fingerprint=asked.fingerprint,
    )
