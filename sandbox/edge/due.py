"""Answers that were held back are told when their time has come."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from kit.batch import Batcher
from kit.postgres import Pool
from kit.sweep import Sweep
from kit.work import Job, Outcome
from sandbox.domain.commands import TellAnswer
from sandbox.domain.decided import anchor_of
from sandbox.store.views import due_answers

LOOK_EVERY_SECONDS = 0.1
MOST_AT_ONCE = 200
_ANSWERS = uuid5(NAMESPACE_URL, "urn:gongji:sandbox:held-answer")


def tell_due_answers(pool: Pool, desk: Batcher[Job, Outcome]) -> Sweep:
    """The sweep that submits them, each under an id of its own for ever."""

    async def sweep() -> None:
        jobs = [
            Job(
                command=TellAnswer(answer_id=answer_id),
                command_id=uuid5(_ANSWERS, str(answer_id)),
                anchors=(anchor_of(province),),
            )
            for answer_id, province in await due_answers(pool, MOST_AT_ONCE)
        ]
        if jobs:
            await desk.submit_all(jobs)

    return Sweep(name="held-answers", every_seconds=LOOK_EVERY_SECONDS, sweep=sweep)
