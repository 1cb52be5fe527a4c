"""A province keeps silent: asked again under the same id, more and more seldom, at last a clerk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
import pytest

from contracts import events
from contracts.commands import Refund
from contracts.events import RelationActivated
from kit.work import Outcome
from proof.databases import read_sagas
from proof.rows import Saga
from proof.sagas import unended
from tests.conftest import MigratedDatabase
from tests.support.wallets import PHARMACY, Purse, body_of, code_of, payment_of, purse_on
from wallet.domain.commands import GiveUpFreeze, RecordFreeze, RecordOrderAnswer, RepeatOrder
from wallet.domain.orders import OrderKind
from wallet.domain.patience import Patience
from wallet.edge.sweeps import ask_silent_orders
from wallet.store.audits import AUDITS

GUANGDONG = "440000"
PATIENCE = Patience(first_seconds=60, longest_seconds=150, most_asks=4)


@pytest.fixture
def dsn(migrated_database: MigratedDatabase) -> str:
    return migrated_database("wallet")


@pytest.fixture
async def purse(dsn: str) -> AsyncIterator[Purse]:
    async with purse_on(dsn) as one:
        yield one
        await one.audited()


async def published(purse: Purse) -> None:
    """Kafka has been given everything."""
    await purse.cells.pools[0].execute("DELETE FROM unpublished")


async def later(purse: Purse, seconds: float) -> None:
    """Let time go by for every order."""
    await purse.cells.pools[0].execute(
        "UPDATE account_order SET asked_at = asked_at - make_interval(secs => $1)", seconds
    )


async def sweep(purse: Purse) -> int:
    await published(purse)
    return await ask_silent_orders(purse.cells, 0, PATIENCE)


async def told(purse: Purse, type_: str) -> list[dict[str, Any]]:
    rows = await purse.cells.pools[0].fetch(
        "SELECT data FROM outbox WHERE type = $1 ORDER BY position", type_
    )
    return [orjson.loads(row["data"]) for row in rows]


async def orders(purse: Purse) -> list[dict[str, Any]]:
    rows = await purse.cells.pools[0].fetch("SELECT * FROM account_order ORDER BY sent_at, kind")
    return [dict(row) for row in rows]


async def books(purse: Purse, person: UUID) -> tuple[Any, ...]:
    [quota] = await purse.quotas(person)
    names = ("state", "refusal", "granted", "available", "returned")
    return tuple(quota[name] for name in names)


async def freezing(purse: Purse, amount: int = 10_000) -> tuple[UUID, RelationActivated, UUID]:
    person = await purse.person()
    relation = await purse.relation(person)
    assert (await purse.wish(relation, amount)).status == 202
    [freeze_id] = await purse.freezes(person)
    return person, relation, freeze_id


async def parked(purse: Purse) -> tuple[UUID, RelationActivated, UUID]:
    """A freeze that a province has kept silent about for as long as it is worth it."""
    found = await freezing(purse)
    for _ in range(PATIENCE.most_asks):
        await later(purse, 150)
        assert await sweep(purse) == 1
    return found


async def answer(purse: Purse, person: UUID, freeze_id: UUID, confirmed: bool) -> str:
    reason = None if confirmed else "insufficient"
    command = RecordFreeze(
        province=GUANGDONG, freeze_id=freeze_id, confirmed=confirmed, reason=reason
    )
    return code_of(await purse.do(command, person))


async def repeat(purse: Purse, person: UUID, order_id: UUID) -> Outcome:
    return await purse.do(RepeatOrder(order_id=order_id), person)


async def give_up(purse: Purse, person: UUID, order_id: UUID) -> Outcome:
    return await purse.do(GiveUpFreeze(order_id=order_id), person)


@pytest.mark.rule("R9")
async def test_a_silent_province_is_told_the_same_again_more_and_more_seldom(purse: Purse) -> None:
    person, _, freeze_id = await freezing(purse)
    waits = []
    for _ in range(3):
        waited = 0
        while await sweep(purse) == 0:
            await later(purse, 10)
            waited += 10
        waits.append(waited)
    assert waits == [60, 120, 150]
    asked = await told(purse, events.FreezeRequested.TYPE)
    assert len(asked) == 4
    assert all(each == asked[0] for each in asked)
    assert asked[0]["freeze_id"] == str(freeze_id)
    # An answer ends it, whichever of them it is to.
    assert await answer(purse, person, freeze_id, True) == "200"
    assert await answer(purse, person, freeze_id, True) == "200"
    assert await books(purse, person) == ("active", None, 10_000, 10_000, 0)
    await later(purse, 1_000)
    assert await sweep(purse) == 0


@pytest.mark.rule("R9")
async def test_every_kind_of_order_is_told_again_word_for_word(purse: Purse) -> None:
    person = await purse.person()
    relation = await purse.granted(person, 10_000)
    paid = body_of(await purse.do(payment_of(person, 3_000), person, "p1"))
    await purse.wish(relation, 5_000)
    refund = Refund(
        payment_id=UUID(paid["payment_id"]),
        institution=PHARMACY,
        amount_fen=1_000,
        reason="too much",
    )
    assert code_of(await purse.do(refund, person, "r1")) == "201"
    kinds = (events.DebitOrdered, events.UnfreezeOrdered, events.CreditOrdered)
    before = [await told(purse, kind.TYPE) for kind in kinds]
    assert [len(each) for each in before] == [1, 1, 1]
    await later(purse, 60)
    assert await sweep(purse) == 3
    assert [await told(purse, kind.TYPE) for kind in kinds] == [each * 2 for each in before]
    for order, kind in zip(
        (each[0]["order_id"] for each in before),
        (OrderKind.DEBIT, OrderKind.UNFREEZE, OrderKind.CREDIT),
        strict=True,
    ):
        for _ in range(2):
            command = RecordOrderAnswer(province=GUANGDONG, order_id=UUID(order), kind=kind)
            assert code_of(await purse.do(command, person)) == "200"
    await later(purse, 1_000)
    assert await sweep(purse) == 0


async def test_while_the_outbox_waits_nobody_is_silent(purse: Purse) -> None:
    await freezing(purse)
    await later(purse, 59)
    assert await ask_silent_orders(purse.cells, 0, PATIENCE) == 0
    await published(purse)
    _, _, another = await freezing(purse)
    await later(purse, 30)
    await purse.cells.pools[0].execute(
        "UPDATE account_order SET asked_at = asked_at + interval '60 seconds' WHERE order_id = $1",
        another,
    )
    # The first was published long ago, by the clock of what waits now it is due.
    assert await ask_silent_orders(purse.cells, 0, PATIENCE) == 1


async def test_two_sweeps_at_once_ask_once(dsn: str, purse: Purse) -> None:
    await freezing(purse)
    await later(purse, 60)
    await published(purse)
    async with purse_on(dsn) as other:
        await asyncio.gather(
            *(ask_silent_orders(each.cells, 0, PATIENCE) for each in (purse, other, purse, other))
        )
    assert len(await told(purse, events.FreezeRequested.TYPE)) == 2
    assert [order["asks"] for order in await orders(purse)] == [2]


@pytest.mark.rule("R9")
async def test_at_last_it_is_for_a_clerk_and_a_late_answer_still_counts(purse: Purse) -> None:
    person, _, freeze_id = await parked(purse)
    [order] = await orders(purse)
    assert (order["state"], order["asks"], order["parked_because"]) == ("sent", 4, "silent")
    await later(purse, 100_000)
    assert await sweep(purse) == 0
    assert await answer(purse, person, freeze_id, True) == "200"
    assert await answer(purse, person, freeze_id, False) == "wrong-state"
    assert await books(purse, person) == ("active", None, 10_000, 10_000, 0)
    assert code_of(await give_up(purse, person, freeze_id)) == "wrong-state"
    assert code_of(await repeat(purse, person, freeze_id)) == "wrong-state"


@pytest.mark.rule("R9")
async def test_what_a_clerk_repeats_is_told_once_more_and_parked_again(purse: Purse) -> None:
    person, _, freeze_id = await parked(purse)
    assert code_of(await repeat(purse, person, freeze_id)) == "200"
    assert code_of(await repeat(purse, person, freeze_id)) == "wrong-state"
    assert len(await told(purse, events.FreezeRequested.TYPE)) == 5
    await later(purse, 149)
    assert await sweep(purse) == 0
    await later(purse, 1)
    assert await sweep(purse) == 1
    [order] = await orders(purse)
    assert (order["asks"], order["parked_because"]) == (5, "silent")
    assert len(await told(purse, events.FreezeRequested.TYPE)) == 5


@pytest.mark.rule("R9")
async def test_a_freeze_that_was_given_up_counts_as_refused_and_may_be_asked_anew(
    purse: Purse,
) -> None:
    person, relation, freeze_id = await parked(purse)
    assert code_of(await give_up(purse, person, freeze_id)) == "200"
    assert await books(purse, person) == ("refused", "silent", 0, 0, 0)
    assert len(await told(purse, events.QuotaRefused.TYPE)) == 1
    assert code_of(await give_up(purse, person, freeze_id)) == "wrong-state"
    assert (await purse.wish(relation, 700)).status == 202
    # It had been frozen after all: that goes back, and the new wish is as it was.
    assert await answer(purse, person, freeze_id, True) == "200"
    assert await books(purse, person) == ("freezing", None, 10_000, 0, 10_000)
    [back] = await told(purse, events.UnfreezeOrdered.TYPE)
    assert back["amount_fen"] == 10_000
    # Twice, and the contrary: there is one outcome.
    assert await answer(purse, person, freeze_id, True) == "200"
    assert await answer(purse, person, freeze_id, False) == "wrong-state"
    assert len(await told(purse, events.UnfreezeOrdered.TYPE)) == 1
    [again] = await purse.freezes(person)
    assert await answer(purse, person, again, True) == "200"
    assert await books(purse, person) == ("active", None, 10_700, 700, 10_000)


@pytest.mark.rule("R9")
async def test_a_late_refusal_of_what_was_given_up_changes_nothing(purse: Purse) -> None:
    person, _, freeze_id = await parked(purse)
    await give_up(purse, person, freeze_id)
    assert await answer(purse, person, freeze_id, False) == "200"
    assert await answer(purse, person, freeze_id, True) == "wrong-state"
    assert await books(purse, person) == ("refused", "silent", 0, 0, 0)
    assert len(await told(purse, events.QuotaRefused.TYPE)) == 1
    assert [order["reason"] for order in await orders(purse)] == ["insufficient"]


async def test_only_a_freeze_can_be_given_up(purse: Purse) -> None:
    person = await purse.person()
    await purse.granted(person, 10_000)
    await purse.do(payment_of(person, 3_000), person, "p1")
    [debit] = await told(purse, events.DebitOrdered.TYPE)
    for _ in range(PATIENCE.most_asks):
        await later(purse, 150)
        assert await sweep(purse) == 1
    order_id = UUID(debit["order_id"])
    assert code_of(await give_up(purse, person, order_id)) == "wrong-state"
    assert code_of(await repeat(purse, person, order_id)) == "200"
    assert code_of(await repeat(purse, person, UUID(int=7))) == "not-found"
    assert code_of(await give_up(purse, person, UUID(int=7))) == "not-found"


async def test_what_is_stuck_is_found(
    dsn: str, purse: Purse, migrated_database: MigratedDatabase
) -> None:
    others = {name: migrated_database(name) for name in ("relations", "settlement")}
    _, _, freeze_id = await freezing(purse)

    async def found() -> list[Saga]:
        return await read_sagas({"wallet": dsn, **others})

    pool = purse.cells.pools[0]
    assert unended(await found()) == []
    await later(purse, 61)
    [late] = unended(await found())
    assert late.startswith(f"freeze order {freeze_id} has waited")
    await later(purse, 100_000)
    assert await pool.fetch(AUDITS["no_order_is_forgotten"]) != []
    for _ in range(PATIENCE.most_asks):
        await later(purse, 150)
        await sweep(purse)
    assert unended(await found()) == []
    assert [saga.parked for saga in await found()] == ["silent"]

    async with pool.acquire() as connection:
        planting = connection.transaction()
        await planting.start()
        await connection.execute("UPDATE quota SET state = 'freezing'")
        await connection.execute(
            "UPDATE account_order SET state = 'refused', answered_at = now(), reason = 'x'"
        )
        await planting.commit()
    [nobodys] = unended(await found())
    assert "nobody will ever move it on" in nobodys
    await pool.execute("UPDATE quota SET state = 'refused', refusal = 'x'")
