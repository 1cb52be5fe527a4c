"""How a quota ends in the wallet: what goes back at once, what lives on (R5, R6, R32)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from contracts import events
from contracts.events import RelationActivated
from kit.answers import Answer
from kit.work import Outcome
from policy.calendar import beijing_day
from tests.conftest import MigratedDatabase
from tests.support.wallets import Purse, body_of, code_of, payment_of, purse_on, snapshot
from wallet.domain.commands import (
    EndQuota,
    RecordFreeze,
    RecordOrderAnswer,
    RecordPerson,
    SuspendQuota,
)
from wallet.domain.orders import OrderKind

GUANGDONG = "440000"


@pytest.fixture
async def purse(migrated_database: MigratedDatabase) -> AsyncIterator[Purse]:
    async with purse_on(migrated_database("wallet")) as one:
        yield one
        await one.audited()


def end_of(relation: RelationActivated, **changes: Any) -> EndQuota:
    given: dict[str, Any] = {
        "relation_id": relation.relation_id,
        "beneficiary_id": relation.beneficiary.person_id,
        "reason": "will",
        "since": beijing_day(datetime.now(UTC)),
    }
    return EndQuota(**(given | changes))


async def end(purse: Purse, relation: RelationActivated, **changes: Any) -> Outcome:
    return await purse.do(end_of(relation, **changes), relation.beneficiary.person_id)


async def suspend(purse: Purse, relation: RelationActivated, suspended: bool = True) -> Outcome:
    beneficiary = relation.beneficiary.person_id
    command = SuspendQuota(
        relation_id=relation.relation_id, beneficiary_id=beneficiary, suspended=suspended
    )
    return await purse.do(command, beneficiary)


async def told(purse: Purse, person: UUID, type_: str) -> list[dict[str, Any]]:
    rows = await purse.pool_of(person).fetch(
        "SELECT data FROM outbox WHERE type = $1 ORDER BY position", type_
    )
    return [orjson.loads(row["data"]) for row in rows]


async def answer_freeze(purse: Purse, person: UUID, freeze_id: UUID, confirmed: bool) -> Outcome:
    reason = None if confirmed else "insufficient"
    command = RecordFreeze(
        province=GUANGDONG, freeze_id=freeze_id, confirmed=confirmed, reason=reason
    )
    return await purse.do(command, person)


async def books(purse: Purse, person: UUID) -> dict[str, Any]:
    [quota] = await purse.quotas(person)
    names = ("state", "granted", "available", "held", "spent", "returned")
    return {name: quota[name] for name in names}


@pytest.mark.rule("R6")
async def test_what_is_unused_goes_back_at_once_and_the_province_unfreezes_it(
    purse: Purse,
) -> None:
    person = await purse.person()
    relation = await purse.granted(person, 10_000)
    await purse.do(payment_of(person, 3_000), person, "p1")
    assert code_of(await end(purse, relation)) == "200"
    assert await books(purse, person) == {
        **{"state": "ended", "granted": 10_000, "available": 0, "held": 0},
        **{"spent": 3_000, "returned": 7_000},
    }
    [unfreeze] = await told(purse, person, events.UnfreezeOrdered.TYPE)
    assert (unfreeze["amount_fen"], unfreeze["pool_admdvs"]) == (7_000, "440300")
    [ended] = await told(purse, person, events.QuotaEnded.TYPE)
    assert (ended["relation_id"], ended["amount_fen"]) == (str(relation.relation_id), 7_000)
    assert ended["sharer_id"] == str(relation.sharer.person_id)
    assert ended["balances"]["returned_fen"] == 7_000

    command = RecordOrderAnswer(
        province=GUANGDONG, order_id=UUID(unfreeze["order_id"]), kind=OrderKind.UNFREEZE
    )
    assert code_of(await purse.do(command, person)) == "200"
    # Told twice, nothing more happens.
    await end(purse, relation)
    assert len(await told(purse, person, events.QuotaEnded.TYPE)) == 1
    assert len(await told(purse, person, events.UnfreezeOrdered.TYPE)) == 1


@pytest.mark.rule("R32")
async def test_nothing_new_is_paid_from_what_has_ended(purse: Purse) -> None:
    person = await purse.person()
    relation = await purse.granted(person, 10_000)
    other = await purse.granted(person, 500, "510100")
    await end(purse, relation)
    assert code_of(await purse.do(payment_of(person, 501), person, "p1")) == "quota-insufficient"
    assert code_of(await purse.do(payment_of(person, 500), person, "p2")) == "201"
    given = await purse.wish(relation, 1)
    assert code_of(given) == "relation-not-active"
    assert code_of(await purse.wish(relation, 0)) == "relation-not-active"
    assert code_of(await purse.wish(other, 1)) == "202"


@pytest.mark.rule("R6")
async def test_a_quota_that_never_had_money_ends_without_an_order(purse: Purse) -> None:
    person = await purse.person()
    relation = await purse.relation(person)
    assert code_of(await end(purse, relation)) == "200"
    assert (await books(purse, person))["state"] == "ended"
    assert await told(purse, person, events.UnfreezeOrdered.TYPE) == []
    [ended] = await told(purse, person, events.QuotaEnded.TYPE)
    assert ended["amount_fen"] == 0


@pytest.mark.rule("R6")
@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_freeze_that_is_answered_after_the_end_leaves_nothing_behind(
    purse: Purse, confirmed: bool
) -> None:
    person = await purse.person()
    relation = await purse.granted(person, 1_000)
    await purse.wish(relation, 5_000)
    [freeze_id] = await purse.freezes(person)
    await end(purse, relation)
    await purse.audited()
    assert code_of(await answer_freeze(purse, person, freeze_id, confirmed)) == "200"
    granted = 5_000 if confirmed else 1_000
    assert await books(purse, person) == {
        **{"state": "ended", "granted": granted, "available": 0, "held": 0},
        **{"spent": 0, "returned": granted},
    }
    amounts = [
        each["amount_fen"] for each in await told(purse, person, "account.unfreeze-ordered.v1")
    ]
    assert amounts == ([1_000, 4_000] if confirmed else [1_000])
    # And the same answer again is nothing new.
    assert code_of(await answer_freeze(purse, person, freeze_id, confirmed)) == "200"
    assert (await books(purse, person))["returned"] == granted


@pytest.mark.rule("R5")
async def test_while_it_is_suspended_nothing_new_is_paid_and_it_may_only_be_lowered(
    purse: Purse,
) -> None:
    person = await purse.person()
    relation = await purse.granted(person, 10_000)
    await suspend(purse, relation)
    assert code_of(await purse.do(payment_of(person, 1), person, "p1")) == "quota-insufficient"
    assert code_of(await purse.wish(relation, 10_001)) == "relation-not-active"
    assert code_of(await purse.wish(relation, 9_000)) == "202"
    await suspend(purse, relation, False)
    await suspend(purse, relation, False)
    assert code_of(await purse.do(payment_of(person, 9_000), person, "p2")) == "201"


async def test_what_was_suspended_ends_as_well(purse: Purse) -> None:
    person = await purse.person()
    relation = await purse.granted(person, 10_000)
    await suspend(purse, relation)
    await end(purse, relation)
    await suspend(purse, relation, False)
    assert await books(purse, person) == {
        **{"state": "ended", "granted": 10_000, "available": 0, "held": 0},
        **{"spent": 0, "returned": 10_000},
    }


async def test_an_end_and_a_confirmed_freeze_at_once(purse: Purse) -> None:
    """Whoever comes first: all of it goes back."""
    for _ in range(8):
        person = await purse.person()
        relation = await purse.relation(person)
        await purse.wish(relation, 5_000)
        [freeze_id] = await purse.freezes(person)
        outcomes = await asyncio.gather(
            end(purse, relation), answer_freeze(purse, person, freeze_id, True)
        )
        assert [code_of(outcome) for outcome in outcomes] == ["200", "200"]
        assert await books(purse, person) == {
            **{"state": "ended", "granted": 5_000, "available": 0, "held": 0},
            **{"spent": 0, "returned": 5_000},
        }


async def test_an_end_and_a_payment_at_once(purse: Purse) -> None:
    """Whoever comes first: what was paid is spent, the rest goes back."""
    seen = set()
    for n in range(12):
        person = await purse.person()
        relation = await purse.granted(person, 5_000)
        ending, paying = end(purse, relation), purse.do(payment_of(person, 2_000), person, "p1")
        if n % 2:
            paid, ended = await asyncio.gather(paying, ending)
        else:
            ended, paid = await asyncio.gather(ending, paying)
        assert isinstance(ended, Answer)
        spent = 2_000 if code_of(paid) == "201" else 0
        assert code_of(paid) in ("201", "quota-insufficient")
        seen.add(code_of(paid))
        assert await books(purse, person) == {
            **{"state": "ended", "granted": 5_000, "available": 0, "held": 0},
            **{"spent": spent, "returned": 5_000 - spent},
        }
    assert seen


@pytest.mark.rule("R35")
async def test_an_end_dated_back_reverses_nothing_and_lists_what_was_spent_since(
    purse: Purse,
) -> None:
    person = await purse.person()
    relation, other = (
        await purse.granted(person, 10_000),
        await purse.granted(person, 500, "510100"),
    )
    paid = [body_of(await purse.do(payment_of(person, 2_000), person, f"p{n}")) for n in range(2)]
    await purse.do(payment_of(person, 6_200), person, "both")
    today = beijing_day(datetime.now(UTC))
    await end(purse, relation, reason="ended", since=today - timedelta(days=30))
    [listed] = await told(purse, person, events.RecoveryListed.TYPE)
    assert listed["since"] == (today - timedelta(days=30)).isoformat()
    assert (listed["psn_no"], listed["pool_admdvs"]) == (relation.sharer.psn_no, "440300")
    assert [each["payment_id"] for each in listed["payments"][:2]] == [
        each["payment_id"] for each in paid
    ]
    assert [each["amount_fen"] for each in listed["payments"]] == [2_000, 2_000, 6_000]
    [quota, _] = await purse.quotas(person)
    assert (quota["state"], quota["spent"], quota["returned"]) == ("ended", 10_000, 0)
    # What ends today was spent in time.
    await end(purse, other, reason="ended", since=today)
    assert len(await told(purse, person, events.RecoveryListed.TYPE)) == 1


@pytest.mark.rule("R34")
async def test_what_was_frozen_stays_with_the_old_pool_when_the_sharer_moves(
    purse: Purse,
) -> None:
    person = await purse.person()
    relation = await purse.granted(person, 10_000)
    await purse.do(payment_of(person, 1_000), person, "p1")
    moved = RecordPerson(
        person=snapshot(relation.sharer.person_id, "510100", psn_no="51010000001", version=2)
    )
    await purse.do(moved, relation.sharer.person_id)
    await end(purse, relation, reason="moved")
    rows = await purse.pool_of(person).fetch(
        "SELECT topic, data FROM outbox WHERE type LIKE 'account.%' ORDER BY position"
    )
    assert {row["topic"] for row in rows} == {"to.440000"}
    bodies = [orjson.loads(row["data"]) for row in rows]
    assert {(each["psn_no"], each["pool_admdvs"]) for each in bodies} == {
        (relation.sharer.psn_no, "440300")
    }
    assert [each["amount_fen"] for each in bodies] == [10_000, 1_000, 9_000]
