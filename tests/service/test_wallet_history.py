"""What the wallet tells of a payment, a quota, a relation, a person or a key, for explanations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from contracts.commands import Capture, Refund
from contracts.events import RelationActivated
from contracts.internal import HistoryStep, citizen_caller, institution_caller
from kit.answers import Answer
from kit.work import Job, ReceiptKey
from tests.conftest import MigratedDatabase
from tests.support.histories import TOKEN, client_of, history_of, refuses, told
from tests.support.wallets import (
    HOSPITAL,
    PHARMACY,
    Purse,
    code_of,
    hold_of,
    job_of,
    payment_of,
    purse_on,
)
from wallet.edge.history import history


@pytest.fixture(params=[1, 3], ids=["one cell", "three cells"])
async def purse(
    migrated_database: MigratedDatabase, request: pytest.FixtureRequest
) -> AsyncIterator[Purse]:
    cells: int = request.param
    async with purse_on(migrated_database("wallet", cells), cells=cells) as one:
        yield one
        await one.audited()


@pytest.fixture
async def client(purse: Purse) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(history(purse.cells, TOKEN)) as client:
        yield client


async def asked(
    purse: Purse,
    job: Job,
    owner: UUID,
    key: str,
    *,
    code: str = HOSPITAL,
    path: str = "/v1/payments",
) -> str:
    """Perform it as the gateway asks for it, under the institution's key; what it answered."""
    receipt = ReceiptKey(
        caller=institution_caller(code), scope=owner, key=key, fingerprint=key.encode()
    )
    mine = replace(job, anchors=(owner,), receipt=receipt, instance=path)
    [outcome] = await purse.cells.doors[purse.cells.of_person(owner)].perform([mine])
    assert isinstance(outcome, Answer), outcome
    return outcome.body


async def held(purse: Purse, me: UUID, amount: int, key: str) -> UUID:
    answered = await asked(purse, job_of(hold_of(me, amount), me), me, key)
    return UUID(orjson.loads(answered)["payment_id"])


async def captured(purse: Purse, me: UUID, payment_id: UUID, amount: int, key: str) -> str:
    """The state after it, or the refusal's code."""
    command = Capture(payment_id=payment_id, institution=HOSPITAL, amount_fen=amount, bill=None)
    path = f"/v1/payments/{payment_id}/capture"
    answered = orjson.loads(await asked(purse, job_of(command, me), me, key, path=path))
    return str(answered.get("code") or answered["state"])


def of(steps: tuple[HistoryStep, ...], type_: str) -> HistoryStep:
    [found] = [step for step in steps if step.type == type_]
    return found


async def a_stay(purse: Purse, key: str) -> tuple[UUID, UUID, RelationActivated]:
    """Held 60.00, 99.00 of it refused, 50.00 captured, 10.00 refunded."""
    me = await purse.person()
    relation = await purse.granted(me, 10_000)
    payment_id = await held(purse, me, 6_000, f"{key}-hold")
    assert await captured(purse, me, payment_id, 9_900, f"{key}-more") == "capture-exceeds-hold"
    assert await captured(purse, me, payment_id, 5_000, f"{key}-capture") == "captured"
    refund = Refund(
        payment_id=payment_id,
        institution=HOSPITAL,
        amount_fen=1_000,
        bill_after=None,
        reason="returned",
    )
    assert code_of(await purse.do(refund, me)) == "201"
    return me, payment_id, relation


@pytest.mark.rule("R22")
async def test_a_payment_from_hold_to_refund(purse: Purse, client: httpx.AsyncClient) -> None:
    me, payment_id, relation = await a_stay(purse, "a")
    await a_stay(purse, "b")
    found = await history_of(client, payment_id)
    assert [each for each in told(found) if not each.startswith("account")] == [
        "payment.held 6000 R12 R11",
        "request.answered 6000",
        "request.refused capture-exceeds-hold R11",
        "payment.captured 5000 R11 R12",
        "request.answered 6000",
        "payment.refunded 1000 R22 R31",
    ]
    assert of(found.steps, "account.debit-ordered").amount_fen == 5_000
    assert of(found.steps, "account.credit-ordered").rules == ("R31",)
    capture = of(found.steps, "payment.captured")
    assert set(capture.seen_by) == {institution_caller(HOSPITAL), citizen_caller(me)}
    assert capture.shares == {citizen_caller(relation.sharer.person_id): 5_000}
    refusal = of(found.steps, "request.refused")
    assert (refusal.key, refusal.seen_by) == ("a-more", (institution_caller(HOSPITAL),))
    refund_id = of(found.steps, "payment.refunded").refund_id
    assert set(found.payments) == {payment_id, refund_id}
    assert refund_id is not None
    of_refund = await history_of(client, str(refund_id).upper())
    assert told(of_refund) == told(found), "a refund is explained by its payment"


async def test_a_key_is_explained_by_what_it_did(purse: Purse, client: httpx.AsyncClient) -> None:
    _, payment_id, _ = await a_stay(purse, "a")
    for key in ("a-hold", "a-more"):
        found = await history_of(client, key)
        assert told(found) == told(await history_of(client, payment_id)), key
    own, another = institution_caller(HOSPITAL), institution_caller(PHARMACY)
    assert (await history_of(client, "a-hold", caller=own)).steps
    assert (await history_of(client, "a-hold", caller=another)).steps == ()
    assert (await history_of(client, "a-hol")).steps == ()


async def test_a_refusal_that_made_nothing_is_explained_by_its_key(
    purse: Purse, client: httpx.AsyncClient
) -> None:
    me = await purse.person()
    await purse.granted(me, 100)
    answered = await asked(purse, job_of(payment_of(me, 101), me), me, "too-much", code=PHARMACY)
    assert orjson.loads(answered)["code"] == "quota-insufficient"
    found = await history_of(client, "too-much")
    assert told(found) == ["request.refused quota-insufficient R9 R12"]


@pytest.mark.rule("R9")
async def test_a_quota_and_its_relation_from_freeze_to_end(
    purse: Purse, client: httpx.AsyncClient
) -> None:
    me = await purse.person()
    relation = await purse.granted(me, 10_000)
    assert (await purse.wish(relation, 7_000)).status == 202
    payment_id = await held(purse, me, 500, "k")
    await purse.ended(relation)
    quota_id = (await purse.quotas(me))[0]["quota_id"]
    found = await history_of(client, quota_id)
    assert set(told(found)) == {
        "quota.opened R3 R7",
        "account.freeze-ordered 10000 R9",
        "account.freeze-confirmed 10000 R7",
        "quota.granted 10000 R7",
        "account.unfreeze-ordered 3000 R9",
        "payment.held 500 R12 R11",
        "quota.ended 6500 R3 R6",
        "account.unfreeze-ordered 6500 R6 R31",
    }
    assert found.relations == (relation.relation_id,)
    assert payment_id in found.payments
    assert told(await history_of(client, relation.relation_id)) == told(found)
    for person in (relation.sharer.person_id, me):
        of_person = set(told(await history_of(client, person)))
        assert set(told(found)) <= of_person
        assert ("wallet.opened R29" in of_person) == (person == me)


async def test_what_nobody_knows_has_no_history(purse: Purse, client: httpx.AsyncClient) -> None:
    await a_stay(purse, "a")
    for name in (uuid4(), "nothing", "a/b?c", "%"):
        found = await history_of(client, name)
        assert (found.steps, found.payments, found.relations) == ((), (), ())
    await refuses(client)
