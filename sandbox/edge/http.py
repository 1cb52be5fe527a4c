"""The sandbox over HTTP: contract §6, the decoder of e-certificates and the token issuer's keys."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import Response

from contracts.events import InstitutionChanged
from contracts.public import Nothing
from contracts.vocabulary import PROVINCES
from kit import tracing
from kit.answers import Answer, answer
from kit.batch import Batcher
from kit.frame import Internal
from kit.http import respond
from kit.json_body import described, read_body
from kit.postgres import Pool
from kit.refusal import Invalid, NotFound
from kit.work import Job, Outcome
from sandbox.domain.behaviour import WELL_BEHAVED
from sandbox.domain.commands import (
    ChangeEnrolment,
    ChangeRegistration,
    Deposit,
    IssueEcCode,
    MakePerson,
    RefundPremium,
    SetBehaviour,
    TellInstitution,
)
from sandbox.domain.decided import PEOPLE, anchor_of, beijing_day
from sandbox.domain.refusals import ProvinceNotPlayed
from sandbox.domain.regions import province_of
from sandbox.edge import bodies
from sandbox.edge.platform import Platform
from sandbox.edge.tokens import TokenIssuer
from sandbox.store import views

EARLIEST_BIRTH = date(1900, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the routes work with: the door's queue, the books to look at, keys, the platform."""

    jobs: Batcher[Job, Outcome]
    pool: Pool
    tokens: TokenIssuer
    platform: Platform
    played: Sequence[str]
    institutions: Sequence[Mapping[str, Any]]

    async def perform(self, command: object, request: Request, *anchors: UUID) -> Answer:
        """Put one command through the door."""
        job = Job(
            command=command,
            command_id=uuid4(),
            anchors=anchors,
            instance=request.url.path,
            traceparent=tracing.current(),
        )
        outcome = await self.jobs.submit(job)
        if not isinstance(outcome, Answer):
            raise Internal
        return outcome

    def core_of(self, province: str) -> str:
        """The province, if it is played here. Raises NotFound or ProvinceNotPlayed."""
        if province not in PROVINCES:
            raise NotFound("there is no such province")
        if province not in self.played:
            raise ProvinceNotPlayed(f"{province} was left for somebody else to play")
        return province


def routes(desk: Desk) -> APIRouter:
    """All routes."""
    router = APIRouter()
    _add_people(router, desk)
    _add_tokens(router, desk)
    _add_accounts(router, desk)
    _add_premiums(router, desk)
    _add_announcements(router, desk)
    return router


def _add_people(router: APIRouter, desk: Desk) -> None:
    @router.post(
        "/people",
        status_code=201,
        response_model=bodies.MadePerson,
        openapi_extra=described(bodies.NewPerson),
    )
    async def make_person(request: Request) -> Response:
        """A made-up person, enrolled and announced; answered once the platform knows them."""
        body = await read_body(request, bodies.NewPerson)
        province = province_of(body.insuplc_admdvs)
        if province is None:
            raise Invalid("insuplc_admdvs: there is no such pooling area")
        _check_birth(body.born_on)
        command = MakePerson(
            province=desk.core_of(province),
            insuplc_admdvs=body.insuplc_admdvs,
            insutype=body.insutype,
            balance_fen=body.balance_fen,
            born_on=body.born_on,
            retired=body.retired,
        )
        given = await desk.perform(command, request, PEOPLE, anchor_of(province))
        if given.status == 201:
            made = bodies.MadePerson.model_validate_json(given.body)
            await desk.platform.knows(desk.tokens.of_person(made.psn_no, made.insuplc_admdvs))
        return respond(given)

    @router.get("/world", response_model=bodies.World)
    async def world() -> Response:
        """Everybody and everything there is."""
        told = await views.behaviours(desk.pool)
        provinces = [
            {
                "province": province,
                "played": province in desk.played,
                "behaviour": told.get(province, WELL_BEHAVED).shown(),
            }
            for province in PROVINCES
        ]
        content = {
            "people": await views.everybody(desk.pool),
            "institutions": list(desk.institutions),
            "provinces": provinces,
        }
        return respond(answer(200, content))


def _check_birth(born_on: date | None) -> None:
    if born_on is not None and not EARLIEST_BIRTH <= born_on <= beijing_day(datetime.now(UTC)):
        raise Invalid("born_on: a day between 1900 and today")


def _add_tokens(router: APIRouter, desk: Desk) -> None:
    @router.post("/tokens", response_model=bodies.Token, openapi_extra=described(bodies.NewToken))
    async def issue_token(request: Request) -> Response:
        """A bearer token. Anybody's: also of people whose province somebody else plays."""
        body = await read_body(request, bodies.NewToken)
        if body.psn_no is not None and body.clerk is None and body.roles is None:
            pool_admdvs = body.pool_admdvs
            if pool_admdvs is None:
                person = await views.person_by_psn_no(desk.pool, body.psn_no)
                pool_admdvs = None if person is None else person.insuplc_admdvs
            token = desk.tokens.of_person(body.psn_no, pool_admdvs)
        elif body.clerk is not None and body.roles is not None and body.psn_no is None:
            if body.pool_admdvs is not None:
                raise Invalid("pool_admdvs: a clerk has none")
            token = desk.tokens.of_clerk(body.clerk, body.roles)
        else:
            raise Invalid("either psn_no, or clerk and roles")
        return respond(answer(200, {"token": token}))

    @router.post(
        "/ec-codes", response_model=bodies.EcCode, openapi_extra=described(bodies.NewEcCode)
    )
    async def issue_ec_code(request: Request) -> Response:
        """A code as a person's phone shows it, valid for ten minutes."""
        body = await read_body(request, bodies.NewEcCode)
        command = IssueEcCode(psn_no=body.psn_no, code=secrets.token_hex(14))
        return respond(await desk.perform(command, request))

    @router.post(
        "/ec/query", response_model=bodies.EcAnswer, openapi_extra=described(bodies.EcQuery)
    )
    async def decode(request: Request) -> Response:
        """Whose code this is: the decoder that the platform asks."""
        body = await read_body(request, bodies.EcQuery)
        person = await views.person_by_ec_code(desk.pool, body.value)
        if person is None:
            raise NotFound("this code is unknown or has expired")
        said = {
            "idNo": person.cert_no,
            "userName": person.name,
            "idType": person.psn_cert_type,
            "insuOrg": person.insuplc_admdvs,
            "ecToken": body.value,
            "chnlId": "sandbox",
        }
        return respond(answer(200, said))

    @router.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, Any]:
        """The issuer's public keys."""
        return desk.tokens.keys()

    @router.get("/.well-known/openid-configuration")
    async def discovery() -> dict[str, Any]:
        """OpenID Connect discovery."""
        return desk.tokens.discovery()


def _add_accounts(router: APIRouter, desk: Desk) -> None:
    @router.get("/provinces/{province}/accounts/{psn_no}", response_model=bodies.AccountView)
    async def read_account(province: str, psn_no: str) -> Response:
        """Zeros for somebody whose scheme has no account."""
        found = await views.account_balances(desk.pool, desk.core_of(province), psn_no)
        if found is None:
            raise NotFound("nobody here has this psn_no")
        balance_fen, frozen_fen = found
        content = {
            "balance_fen": balance_fen,
            "frozen_fen": frozen_fen,
            "spendable_fen": balance_fen - frozen_fen,
        }
        return respond(answer(200, content))

    @router.post(
        "/provinces/{province}/accounts/{psn_no}/deposits",
        response_model=bodies.AccountView,
        openapi_extra=described(bodies.NewDeposit),
    )
    async def deposit(province: str, psn_no: str, request: Request) -> Response:
        """Pay into an account."""
        body = await read_body(request, bodies.NewDeposit)
        command = Deposit(
            province=desk.core_of(province),
            psn_no=psn_no,
            amount_fen=body.amount_fen,
            reference=uuid4(),
        )
        return respond(await desk.perform(command, request, anchor_of(province)))

    @router.put(
        "/provinces/{province}/behaviour",
        response_model=bodies.Behaviour,
        openapi_extra=described(bodies.Behaviour),
    )
    async def set_behaviour(province: str, request: Request) -> Response:
        """The whole of it: what is left out is as a well-behaved province has it."""
        body = await read_body(request, bodies.Behaviour)
        command = SetBehaviour(province=desk.core_of(province), behaviour=body)
        return respond(await desk.perform(command, request, anchor_of(province)))


def _add_premiums(router: APIRouter, desk: Desk) -> None:
    @router.post(
        "/provinces/{province}/premiums/{payment_id}/refunds",
        status_code=202,
        response_model=bodies.RefundedPremium,
        openapi_extra=described(Nothing),
    )
    async def refund_premium(province: str, payment_id: UUID, request: Request) -> Response:
        """The fund gives an accepted premium back: publishes `premium.refunded`."""
        await read_body(request, Nothing)
        command = RefundPremium(province=desk.core_of(province), payment_id=payment_id)
        return respond(await desk.perform(command, request, anchor_of(province)))


def _add_announcements(router: APIRouter, desk: Desk) -> None:
    @router.post(
        "/provinces/{province}/enrolments",
        status_code=202,
        response_model=bodies.Enrolment,
        openapi_extra=described(bodies.NewEnrolment),
    )
    async def change_enrolment(province: str, request: Request) -> Response:
        """Publishes `enrolment.changed`."""
        body = await read_body(request, bodies.NewEnrolment)
        command = ChangeEnrolment(
            province=desk.core_of(province),
            psn_no=body.psn_no,
            status=body.status,
            since=body.since or beijing_day(datetime.now(UTC)),
            reason=body.reason,
        )
        return respond(await desk.perform(command, request, anchor_of(province)))

    @router.post(
        "/provinces/{province}/registrations",
        status_code=202,
        response_model=bodies.Registration,
        openapi_extra=described(bodies.NewRegistration),
    )
    async def change_registration(province: str, request: Request) -> Response:
        """Publishes `registration.changed`."""
        body = await read_body(request, bodies.NewRegistration)
        if body.valid_to < body.valid_from:
            raise Invalid("to: a registration does not end before it begins")
        command = ChangeRegistration(
            province=desk.core_of(province),
            psn_no=body.psn_no,
            mdtrtarea_admvs=body.mdtrtarea_admvs,
            valid_from=body.valid_from,
            valid_to=body.valid_to,
        )
        return respond(await desk.perform(command, request, anchor_of(province)))

    @router.post(
        "/provinces/{province}/institutions",
        status_code=202,
        response_model=bodies.ToldInstitution,
        openapi_extra=described(bodies.NewInstitution),
    )
    async def tell_institution(province: str, request: Request) -> Response:
        """Publishes `institution.changed`."""
        body = await read_body(request, bodies.NewInstitution)
        told = InstitutionChanged.model_validate_json(body.model_dump_json(by_alias=True))
        command = TellInstitution(province=desk.core_of(province), told=told)
        return respond(await desk.perform(command, request, anchor_of(province)))
