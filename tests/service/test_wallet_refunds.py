"""Refunds on real PostgreSQL: who gets back how much and when, and that no fen goes back twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from contracts import events
from contracts.commands import Refund
from tests.conftest import MigratedDatabase
from tests.support.bills import bill_of
from tests.support.wallets import (
    PHARMACY,
    Purse,
    body_of,
    code_of,
    hold_of,
    job_of,
    payment_of,
    purse_on,
    race,
)
from wallet.domain.commands import RecordOrderAnswer
from wallet.domain.orders import OrderKind


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("wallet")


@pytest.fixture
async def purse(dsn: str) -> AsyncIterator[Purse]:
    async with purse_on(dsn) as one:
        yield one
        await one.audited()


def refund_of(payment_id: UUID, amount: int, **changes: Any) -> Refund:
    given: dict[str, Any] = {
        "payment_id": payment_id,
        "institution": PHARMACY,
        "amount_fen": amount,
        "reason": "goods were returned",
    }
    return Refund.model_validate(given | changes)


async def paid(purse: Purse, me: UUID, amount: int) -> UUID:
    return UUID(body_of(await purse.do(payment_of(me, amount), me, str(uuid4())))["payment_id"])


async def told(purse: Purse, kind: type[events.Told]) -> list[dict[str, Any]]:
    """Bodies of this kind in the outbox, each of which its model reads."""
    rows = await purse.cells.pools[0].fetch(
        "SELECT data FROM outbox WHERE type = $1 ORDER BY position", kind.TYPE
    )
    for row in rows:
        kind.model_validate_json(row["data"])
    return [orjson.loads(row["data"]) for row in rows]


def answer_to(order: dict[str, Any], refused_because: str | None = None) -> RecordOrderAnswer:
    return RecordOrderAnswer(
        province=f"{order['pool_admdvs'][:2]}0000",
        order_id=UUID(order["order_id"]),
        kind=OrderKind.CREDIT,
        refused_because=refused_because,
    )


async def books(purse: Purse, me: UUID) -> list[tuple[int, int, int, int]]:
    return [
        (quota["available"], quota["spent"], quota["restoring"], quota["returned"])
        for quota in await purse.quotas(me)
    ]


@pytest.mark.rule("R31")
@pytest.mark.rule("R22")
async def test_the_last_sharer_charged_is_restored_first_by_the_provinces_answer(
    purse: Purse,
) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000, age_days=9)
    await purse.granted(me, 5_000, "110000", age_days=1)
    payment_id = await paid(purse, me, 4_000)
    given = body_of(await purse.do(refund_of(payment_id, 1_500), me, "k"))
    assert (given["amount_fen"], given["state"], given["refunded_fen"]) == (
        1_500,
        "captured",
        1_500,
    )
    assert [(each["sharer_admdvs"], each["amount_fen"]) for each in given["allocations"]] == [
        ("440300", 500),
        ("110000", 1_000),
    ]
    assert given["receipt"]["acct_mulaid_pay_fen"] == 2_500
    assert await books(purse, me) == [(0, 2_500, 500, 0), (4_000, 0, 1_000, 0)]

    ordered = await told(purse, events.CreditOrdered)
    assert [(each["amount_fen"], each["freeze"]) for each in ordered] == [
        (500, True),
        (1_000, True),
    ]
    assert {each["refund_id"] for each in ordered} == {given["refund_id"]}
    for order in ordered:
        for _ in range(2):
            assert code_of(await purse.do(answer_to(order), me)) == "200"
        assert code_of(await purse.do(answer_to(order, "closed"), me)) == "wrong-state"
    assert await books(purse, me) == [(500, 2_500, 0, 0), (5_000, 0, 0, 0)]
    [fact] = await told(purse, events.PaymentRefunded)
    assert (fact["amount_fen"], fact["refund_id"]) == (1_500, given["refund_id"])
    row = await purse.pool_of(me).fetchrow("SELECT kind, amount, reason FROM refund")
    assert row is not None
    assert tuple(row) == ("refund", 1_500, "goods were returned")


@pytest.mark.rule("R22")
async def test_what_is_left_can_be_refunded_and_no_more(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000)
    payment_id = await paid(purse, me, 1_000)
    for amount, code in (
        (1_001, "refund-exceeds-capture"),
        (600, "201"),
        (401, "refund-exceeds-capture"),
        (400, "201"),
        (1, "refund-exceeds-capture"),
    ):
        assert code_of(await purse.do(refund_of(payment_id, amount), me, str(uuid4()))) == code
    row = await purse.pool_of(me).fetchrow("SELECT state, refunded FROM payment")
    assert row is not None
    assert tuple(row) == ("refunded", 1_000)
    assert await books(purse, me) == [(2_000, 0, 1_000, 0)]


async def test_only_ones_own_captured_payment_is_refunded(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000)
    payment_id = await paid(purse, me, 1_000)
    others = refund_of(payment_id, 1, institution="P65900200002")
    assert code_of(await purse.do(others, me)) == "not-found"
    assert code_of(await purse.do(refund_of(uuid4(), 1), me)) == "not-found"
    held = body_of(await purse.do(hold_of(me, 500), me, "h"))
    of_a_hold = refund_of(UUID(held["payment_id"]), 1, institution=held["institution"])
    assert code_of(await purse.do(of_a_hold, me)) == "payment-not-captured"


@pytest.mark.rule("R20")
async def test_the_bill_after_a_refund_has_to_bear_what_is_left(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000)
    payment_id = await paid(purse, me, 1_000)
    lying = bill_of(600).model_copy(update={"fund_pay_sumamt_fen": 1})
    for bill, code in (
        (lying, "bill-does-not-add-up"),
        (bill_of(599), "exceeds-personal-burden"),
        (bill_of(600), "201"),
    ):
        command = refund_of(payment_id, 400, bill_after=bill)
        assert code_of(await purse.do(command, me, str(uuid4()))) == code
    row = await purse.pool_of(me).fetchrow(
        "SELECT psn_part, bill_before->>'psn_part_fen' FROM payment JOIN refund USING (payment_id)"
    )
    assert row is not None
    assert tuple(row) == (600, "1000")


@pytest.mark.rule("R31")
@pytest.mark.parametrize("ends", ["before", "meanwhile"])
async def test_money_of_an_ended_relation_goes_back_to_the_sharers_account(
    purse: Purse, ends: str
) -> None:
    me = await purse.person()
    relation = await purse.granted(me, 3_000)
    payment_id = await paid(purse, me, 1_000)
    if ends == "before":
        await purse.ended(relation)
    assert code_of(await purse.do(refund_of(payment_id, 400), me, "k")) == "201"
    if ends == "meanwhile":
        await purse.ended(relation)
    [order] = await told(purse, events.CreditOrdered)
    assert order["freeze"] is (ends == "meanwhile")
    assert await books(purse, me) == [(0, 600, 400, 2_000)]
    await purse.do(answer_to(order), me)
    assert await books(purse, me) == [(0, 600, 0, 2_400)]
    # What was frozen again is unfrozen; what was not needs nothing more.
    unfrozen = [each["amount_fen"] for each in await told(purse, events.UnfreezeOrdered)]
    assert unfrozen == [2_000] + ([400] if ends == "meanwhile" else [])


@pytest.mark.rule("R31")
async def test_a_refused_credit_is_parked_for_a_clerk(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000)
    payment_id = await paid(purse, me, 1_000)
    await purse.do(refund_of(payment_id, 400), me, "k")
    [order] = await told(purse, events.CreditOrdered)
    for _ in range(2):
        assert code_of(await purse.do(answer_to(order, "closed"), me)) == "200"
    assert code_of(await purse.do(answer_to(order), me)) == "wrong-state"
    assert await books(purse, me) == [(2_000, 600, 0, 400)]
    rows = await purse.pool_of(me).fetch(
        "SELECT amount, reason FROM account_order WHERE kind = 'credit' AND state = 'refused'"
    )
    assert [tuple(row) for row in rows] == [(400, "closed")]


async def test_refunds_at_once_never_give_back_more_than_was_taken(dsn: str) -> None:
    async with purse_on(dsn, size=10) as one, purse_on(dsn, size=10) as two:
        me = await one.person()
        await one.granted(me, 5_000)
        payment_id = await paid(one, me, 1_000)
        jobs = [job_of(refund_of(payment_id, 300), me, f"k{n}") for n in range(16)]
        outcomes = await race([one, two], me, jobs)
        assert Counter(map(code_of, outcomes)) == {"201": 3, "refund-exceeds-capture": 13}
        assert await books(one, me) == [(4_000, 100, 900, 0)]
        await one.audited()


async def test_more_refunded_than_captured_cannot_be_written(purse: Purse) -> None:
    me = await purse.person()
    await purse.granted(me, 3_000)
    await paid(purse, me, 1_000)
    with pytest.raises(asyncpg.CheckViolationError, match="never_exceed_its_capture"):
        await purse.pool_of(me).execute("UPDATE payment SET refunded = 1001")
