"""The sandbox as a program: what a service is made of, assembled once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from kit.batch import Batcher
from kit.runtime import Parts, Runtime, Service
from kit.work import Job, Outcome, UseCase
from sandbox.domain.commands import (
    AnswerClearing,
    AnswerFreeze,
    AnswerKinship,
    AnswerPremium,
    ChangeEnrolment,
    ChangeRegistration,
    Deposit,
    IssueEcCode,
    MakePerson,
    ObeyOrder,
    RefundPremium,
    SetBehaviour,
    TellAnswer,
    TellInstitution,
    TopUpPrefund,
)
from sandbox.domain.prefund import Rule
from sandbox.domain.sealing import ProvinceKeys
from sandbox.edge import kafka
from sandbox.edge.due import tell_due_answers
from sandbox.edge.http import Desk, routes
from sandbox.edge.platform import Platform
from sandbox.edge.tokens import TokenIssuer
from sandbox.settings import SandboxSettings
from sandbox.store.audits import AUDITS
from sandbox.usecases.answer_clearing import answer_clearing
from sandbox.usecases.answer_freeze import answer_freeze
from sandbox.usecases.answer_kinship import answer_kinship
from sandbox.usecases.answer_premium import answer_premium
from sandbox.usecases.change_enrolment import change_enrolment
from sandbox.usecases.change_registration import change_registration
from sandbox.usecases.deposit import deposit
from sandbox.usecases.issue_ec_code import issue_ec_code
from sandbox.usecases.make_person import make_person
from sandbox.usecases.obey_order import obey_order
from sandbox.usecases.refund_premium import refund_premium
from sandbox.usecases.set_behaviour import set_behaviour
from sandbox.usecases.tell_answer import tell_answer
from sandbox.usecases.tell_institution import tell_institution
from sandbox.usecases.top_up_prefund import top_up_prefund

PEOPLE_ANSWER_SECONDS = 5.0
"""What POST /people may take beside waiting for the platform."""


def usecases(keys: ProvinceKeys, rule: Rule) -> Mapping[type, UseCase]:
    """Which use case performs which command; `rule` is by what provinces deposit."""
    return {
        MakePerson: make_person(keys),
        Deposit: deposit,
        ChangeEnrolment: change_enrolment(keys),
        ChangeRegistration: change_registration,
        IssueEcCode: issue_ec_code,
        SetBehaviour: set_behaviour(rule),
        TellInstitution: tell_institution,
        AnswerFreeze: answer_freeze,
        AnswerKinship: answer_kinship,
        AnswerPremium: answer_premium,
        RefundPremium: refund_premium,
        ObeyOrder: obey_order,
        AnswerClearing: answer_clearing,
        TopUpPrefund: top_up_prefund(rule),
        TellAnswer: tell_answer,
    }


async def assemble(runtime: Runtime[SandboxSettings]) -> Parts:
    """Door, routes, consumer and the sweep of late answers."""
    settings = runtime.settings
    keys = ProvinceKeys.read(settings.province_keys_file.read_text(encoding="utf-8"))
    rule = Rule(first_fen=settings.prefund_first_fen, times=settings.prefund_times)
    door = runtime.door(0, usecases(keys, rule))
    jobs: Batcher[Job, Outcome] = Batcher(
        door.perform, most=settings.batch_most, queue=settings.queue_most
    )
    # trust_env: a proxy of the machine has no business between the sandbox and the gateway.
    client = httpx.AsyncClient(base_url=settings.gateway_url, trust_env=False)
    runtime.on_close(client.aclose)
    runtime.on_close(jobs.close)

    app = runtime.app(
        description="The outside world of a local stack.",
        deadline_seconds=settings.known_within_seconds + PEOPLE_ANSWER_SECONDS,
    )
    app.include_router(
        routes(
            Desk(
                jobs=jobs,
                pool=runtime.pools[0],
                tokens=TokenIssuer(
                    settings.signing_key_file.read_bytes(),
                    issuer=settings.token_issuer,
                    audience=settings.token_audience,
                ),
                platform=Platform(client, within_seconds=settings.known_within_seconds),
                played=settings.played,
                institutions=json.loads(settings.world_file.read_text("utf-8"))["institutions"],
            )
        )
    )

    async def submit(cell: int, batch: Sequence[Job]) -> list[Outcome]:
        assert cell == 0
        return await jobs.submit_all(batch)

    consumer = runtime.consumer(
        topics=kafka.heard_topics(settings.played), reading=kafka.reading(), submit=submit
    )
    return Parts(
        app=app,
        consumers=[consumer],
        sweeps=[tell_due_answers(runtime.pools[0], jobs)],
    )


SERVICE = Service(
    name="sandbox",
    settings=SandboxSettings,
    migrations=Path(__file__).parent / "migrations",
    assemble=assemble,
    topics=lambda settings: kafka.topics(settings.played),
    source=lambda _cell: kafka.source_of_topic,
    audits=AUDITS,
)
