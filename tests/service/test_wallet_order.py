"""In which order sharers give: the beneficiary's own, then by age of the relation (R12)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.commands import OrderSharers
from tests.conftest import MigratedDatabase
from tests.support.wallets import Purse, body_of, code_of, payment_of, purse_on
from wallet.domain.commands import EndQuota


@pytest.fixture
async def purse(migrated_database: MigratedDatabase) -> AsyncIterator[Purse]:
    async with purse_on(migrated_database("wallet")) as one:
        yield one
        await one.audited()


async def order(purse: Purse, person: UUID, *quota_ids: Any) -> Any:
    return await purse.do(OrderSharers(person_id=person, quota_ids=quota_ids), person)


async def three_of(purse: Purse, person: UUID) -> list[UUID]:
    """Quotas of three sharers, the oldest relation first."""
    for n, area in enumerate(("440300", "510100", "110100")):
        await purse.granted(person, 1_000, area, age_days=9 - n)
    return [row["quota_id"] for row in await purse.quotas(person)]


async def given_by(purse: Purse, person: UUID, amount: int) -> list[UUID]:
    paid = body_of(await purse.do(payment_of(person, amount), person, uuid4().hex))
    return [UUID(each["quota_id"]) for each in paid["allocations"]]


@pytest.mark.rule("R12")
async def test_the_beneficiarys_order_comes_before_age(purse: Purse) -> None:
    person = await purse.person()
    first, second, third = await three_of(purse, person)
    assert await given_by(purse, person, 1) == [first]
    ordered = body_of(await order(purse, person, third, second))
    assert ordered == {"quota_ids": [str(each) for each in (third, second, first)]}
    assert await given_by(purse, person, 2_500) == [third, second, first]
    await order(purse, person)
    assert await given_by(purse, person, 1) == [first]


@pytest.mark.rule("R12")
async def test_one_named_goes_first_and_the_rest_by_age(purse: Purse) -> None:
    person = await purse.person()
    first, second, third = await three_of(purse, person)
    await order(purse, person, second)
    assert await given_by(purse, person, 2_001) == [second, first, third]


async def test_only_the_own_living_quotas_are_ordered(purse: Purse) -> None:
    person, other = await purse.person(), await purse.person()
    first, second, _ = await three_of(purse, person)
    strange = (await three_of(purse, other))[0]
    [row, *_] = await purse.quotas(person)
    before = await purse.quotas(person)
    assert code_of(await order(purse, person, first, strange)) == "not-found"
    assert code_of(await order(purse, person, uuid4())) == "not-found"
    assert code_of(await order(purse, person, first, second, first)) == "invalid"
    assert await purse.quotas(person) == before
    ended = EndQuota(
        relation_id=row["relation_id"],
        beneficiary_id=person,
        reason="will",
        since=date(2026, 11, 22),
    )
    await purse.do(ended, person)
    assert code_of(await order(purse, person, first)) == "not-found"
    assert code_of(await order(purse, person, second)) == "200"
