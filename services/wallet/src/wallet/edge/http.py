"""The wallet over HTTP, for the gateway: commands in batches, and reads by id that never lag."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from contracts import public
from contracts.commands import (
    Capture,
    Extend,
    Hold,
    OpenWallet,
    OrderSharers,
    Pay,
    PayPremium,
    Refund,
    Release,
    Reverse,
    SetQuota,
    WalletCommand,
)
from contracts.internal import Call, Calls, GivenAnswers, WalletQuotas
from contracts.vocabulary import IdempotencyKey, Text
from kit.answers import Answer, answer
from kit.commands_http import CommandDesk, persons_named
from kit.http import respond, service_token
from kit.json_body import described
from kit.receipts import TOMBSTONE, read_receipts
from kit.refusal import NotFound, Refusal
from kit.work import ReceiptKey
from wallet.domain.books import Quota
from wallet.domain.views import payment_answer, quota_of_person, wallet_view
from wallet.edge.cells import Cells
from wallet.store.payments import payments_by_id
from wallet.store.reading import quotas_of_person, wallet_of


def owner_of(command: WalletCommand) -> UUID | None:
    """Whose books a command may change: always one beneficiary's, so always one cell's.

    None where it names a payment: whose that is, its cell knows.
    """
    match command:
        case Pay(person_id=person_id) | Hold(person_id=person_id) | Reverse(person_id=person_id):
            return person_id
        case OrderSharers(person_id=person_id) | PayPremium(person_id=person_id):
            return person_id
        case SetQuota(beneficiary_id=beneficiary_id):
            return beneficiary_id
        case OpenWallet(person=person):
            return person.person_id
        case Capture() | Extend() | Release() | Refund():
            return None


def payment_of(command: WalletCommand) -> UUID | None:
    """The payment that a command names."""
    match command:
        case Capture(payment_id=payment_id) | Extend(payment_id=payment_id):
            return payment_id
        case Release(payment_id=payment_id) | Refund(payment_id=payment_id):
            return payment_id
        case _:
            return None


async def _anchors_of(call: Call[WalletCommand]) -> tuple[UUID, ...]:
    owner = owner_of(call.command)
    return () if owner is None else (owner,)


def _cell_of(cells: Cells, call: Call[WalletCommand]) -> int:
    payment_id = payment_of(call.command)
    if payment_id is not None:
        cell = cells.of_thing(payment_id)
        assert cell is not None, "its owner was found there"
        return cell
    owner = owner_of(call.command)
    assert owner is not None
    return cells.of_person(owner)


async def _persons_of(cells: Cells, calls: Sequence[Call[WalletCommand]]) -> list[UUID | Refusal]:
    """Whom each call concerns: who it says or, where it names a payment, its beneficiary."""
    persons = await persons_named(calls)
    named = {n: found for n, call in enumerate(calls) if (found := payment_of(call.command))}
    if named:
        owners = await cells.owners_of_payments(set(named.values()))
        for n, payment_id in named.items():
            persons[n] = owners.get(payment_id, NotFound())
    return persons


def desk_of(cells: Cells, *, most: int, queue: int) -> CommandDesk:
    """Where calls wait for the transaction of their cell."""
    return CommandDesk(
        calls=Calls[WalletCommand],
        doors={cell: door.perform for cell, door in enumerate(cells.doors)},
        cell_of=lambda call: _cell_of(cells, call),
        anchors_of=_anchors_of,
        persons_of=lambda calls: _persons_of(cells, calls),
        most=most,
        queue=queue,
    )


def routes(cells: Cells, desk: CommandDesk, token: str) -> APIRouter:
    router = APIRouter(prefix="/internal", dependencies=[Depends(service_token(token))])
    router.add_api_route(
        "/commands",
        desk.answer,
        methods=["POST"],
        summary="Perform commands, each with an answer of its own",
        response_model=GivenAnswers,
        openapi_extra=described(Calls[WalletCommand]),
    )

    @router.get("/payments/{payment_id}", response_model=public.Payment)
    async def read_payment(payment_id: UUID) -> Response:
        """A payment by its id alone: its cell is in the id. 404 if there is none."""
        cell = cells.of_thing(payment_id)
        if cell is None:
            raise NotFound
        async with cells.reading(cell) as tx:
            payments = await payments_by_id(tx, [payment_id])
        if payment_id not in payments:
            raise NotFound
        return respond(payment_answer(200, payments[payment_id]))

    @router.get("/requests", response_model=public.AskedRequest)
    async def read_request(caller: Text, person_id: UUID, key: IdempotencyKey) -> Response:
        """What is known of a key. 404 where nothing is, which proves nothing."""
        asked = ReceiptKey(caller=caller, scope=person_id, key=key, fingerprint=b"")
        under_way = desk.is_inside(asked)
        async with cells.reading(cells.of_person(person_id)) as tx:
            _, found = await read_receipts(tx, [asked])
        if asked.name in found:
            withdrawn = found[asked.name][0] == TOMBSTONE
            return respond(answer(200, {"state": "tombstoned" if withdrawn else "answered"}))
        if under_way:
            return respond(answer(200, {"state": "in_progress"}))
        raise NotFound

    @router.get("/wallets/{person_id}", response_model=public.OpenedWallet)
    async def read_wallet(person_id: UUID) -> Response:
        """A person's wallet in fen; `open` is false where the wallet does not know the person."""
        async with cells.reading(cells.of_person(person_id)) as tx:
            wallet = await wallet_of(tx, person_id)
        quotas = await _quotas_everywhere(cells, person_id)
        return respond(answer(200, wallet_view(person_id, wallet, quotas)))

    @router.get("/quotas", response_model=WalletQuotas)
    async def read_quotas(person_id: UUID) -> Response:
        """All quotas given and received, newest relation first."""
        quotas = await _quotas_everywhere(cells, person_id)
        found = WalletQuotas(
            items=tuple(quota_of_person(quota, person_id) for quota in quotas),
            as_of=datetime.now(UTC),
        )
        return respond(Answer(status=200, body=found.model_dump_json()))

    return router


async def _quotas_everywhere(cells: Cells, person_id: UUID) -> list[Quota]:
    """What is received lies in one cell; what is given lies where its beneficiaries live."""
    found: list[Quota] = []
    for cell in range(len(cells.pools)):
        async with cells.reading(cell) as tx:
            found += await quotas_of_person(tx, person_id)
    return sorted(found, key=lambda quota: (quota.related_at, quota.quota_id), reverse=True)
