"""`python -m tests.support.tally_service`: the smallest service, to try the kit's command line.

POST /asks {name, amount, seconds}  ->  outbox  ->  topic `asks`  ->  consumer  ->  tally
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from kit.answers import answer
from kit.batch import Batcher
from kit.consume import Reading
from kit.http import respond
from kit.kafka import Topic
from kit.run import Parts, Runtime, Service, Sweep, main
from kit.settings import ServiceSettings
from kit.tracing import current
from kit.transaction import Transaction
from kit.work import Event, Job, Outcome
from tests.support.kit import Add, Added, Tally, added


class Ask(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    name: str
    amount: int
    seconds: float = 0.0


async def ask(tx: Transaction, commands: Sequence[Ask], now: datetime) -> list[Added]:
    return [
        Added(
            answer=answer(201, {"name": command.name}),
            events=(
                Event(
                    topic="asks",
                    key=command.name,
                    type="tally.added.v1",
                    subject=str(uuid4()),
                    data=b'{"amount": %d}' % command.amount,
                ),
            ),
        )
        for command in commands
    ]


async def assemble(runtime: Runtime[ServiceSettings]) -> Parts:
    tally = Tally(runtime.pools[0])
    if "REPAIRED" in os.environ:
        tally.broken.clear()
    door = runtime.door(0, {Add: tally.add, Ask: ask})
    batcher: Batcher[Job, Outcome] = Batcher(door.perform)
    runtime.on_close(batcher.close)

    async def perform(_cell: int, jobs: Sequence[Job]) -> list[Outcome]:
        return await batcher.submit_all(jobs)

    async def post(asked: Ask) -> Response:
        await asyncio.sleep(asked.seconds)
        job = Job(command=asked, command_id=uuid4(), anchors=(), traceparent=current())
        outcome: Any = await batcher.submit(job)
        return respond(outcome)

    async def cough() -> None:
        if await runtime.pools[0].fetchval("SELECT 1 FROM tally WHERE name = 'choke'"):
            raise RuntimeError("the sweep choked")

    app = runtime.app()
    app.add_api_route("/asks", post, methods=["POST"])
    reading = Reading(handlers={"tally.added.v1": added})
    return Parts(
        app=app,
        consumers=(runtime.consumer(topics=["asks"], reading=reading, submit=perform),),
        sweeps=(Sweep(name="cough", every_seconds=0.2, sweep=cough),),
    )


SERVICE = Service(
    name="tally",
    settings=ServiceSettings,
    migrations=Path(__file__).parent / "tally_migrations",
    assemble=assemble,
    topics=lambda _settings: [Topic(name="asks", partitions=2)],
    source=lambda cell: f"/tally/cell-{cell}",
    audits={"no_amount_is_negative": "SELECT n, name, amount FROM tally WHERE amount < 0"},
)

if __name__ == "__main__":
    main(SERVICE)
