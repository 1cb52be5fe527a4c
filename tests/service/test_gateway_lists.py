"""Lists and timelines: from what other rooms told, and nobody sees more than is theirs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from contracts import events
from gateway.edge.facts import facts_reading
from kit.postgres import open_pool
from kit.records import Poison
from kit.work import Skipped
from tests.conftest import MigratedDatabase
from tests.support.gateway import Town, a_town, refused
from tests.support.gateway_facts import DAY, NOON, RECEIPT, SHARER, Teller
from tests.support.gateway_neighbours import HOSPITAL, PHARMACY, Person
from tests.support.relations import raw_of


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        town.neighbours.people.append(SHARER)
        yield town


@pytest.fixture
async def teller(town: Town) -> AsyncIterator[Teller]:
    pool = await open_pool(town.dsn, schema="cell_0", size=2, application_name="test")
    one = Teller(pool, town)
    yield one
    if not await pool.fetchval("SELECT count(*) FROM known_quota"):
        await one.quota(events.QuotaOpened)
    await pool.close()


async def listed(town: Town, query: str = f"?date={DAY}", code: str = HOSPITAL) -> Any:
    response = await town.counter.named(code).get(f"/v1/payments{query}")
    assert response.status_code == 200, response.text
    return response.json()


async def timeline(town: Town, person: Person | None = None, query: str = "") -> Any:
    response = await town.ask("GET", f"/v1/me/timeline{query}", person=person)
    assert response.status_code == 200, response.text
    return response.json()


def ids(told: Any) -> list[str]:
    return [each["payment_id"] for each in told["items"]]


async def test_an_institution_lists_its_own_payments_newest_first(
    town: Town, teller: Teller
) -> None:
    made = [
        await teller.payment(events.PaymentCaptured, NOON + timedelta(seconds=n), institution=code)
        for n, code in enumerate((HOSPITAL, PHARMACY, HOSPITAL, HOSPITAL))
    ]
    wanted = [str(made[n]["payment_id"]) for n in (3, 2, 0)]
    told = await listed(town)
    assert (ids(told), told["next_cursor"]) == (wanted, None)
    assert ids(await listed(town, code=PHARMACY)) == [str(made[1]["payment_id"])]
    first = await listed(town, f"?date={DAY}&limit=2")
    assert ids(first) == wanted[:2]
    rest = await listed(town, f"?date={DAY}&limit=2&cursor={first['next_cursor']}")
    assert (ids(rest), rest["next_cursor"]) == (wanted[2:], None)
    assert ids(await listed(town, "?date=2026-11-19")) == []


async def test_payments_of_one_instant_are_each_listed_once(town: Town, teller: Teller) -> None:
    made = {str((await teller.payment(events.PaymentHeld))["payment_id"]) for _ in range(5)}
    seen, cursor = [], ""
    for _ in range(5):
        told = await listed(town, f"?date={DAY}&limit=1{cursor}")
        seen += ids(told)
        cursor = f"&cursor={told['next_cursor']}"
    assert (set(seen), len(seen), told["next_cursor"]) == (made, 5, None)


@pytest.mark.rule("R33")
async def test_a_day_is_beijings_and_a_hold_keeps_its_own(town: Town, teller: Teller) -> None:
    before = datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC)
    after = before + timedelta(seconds=1)
    late = await teller.payment(events.PaymentHeld, before)
    early = await teller.payment(events.PaymentHeld, after)
    same = {"payment_id": late["payment_id"], "business_date": late["business_date"]}
    await teller.payment(events.PaymentCaptured, after + timedelta(days=1), **same)
    assert ids(await listed(town, "?date=2026-11-20")) == [str(late["payment_id"])]
    assert ids(await listed(town, "?date=2026-11-21")) == [str(early["payment_id"])]
    assert ids(await listed(town, "?date=2026-11-22")) == []


async def test_without_a_date_it_is_today(town: Town, teller: Teller) -> None:
    made = await teller.payment(events.PaymentCaptured, datetime.now(UTC))
    assert ids(await listed(town, "")) == [str(made["payment_id"])]


@pytest.mark.parametrize(
    "query",
    [
        *("date=20261120", "date=2026-13-01", "date=2026-11-20T00:00:00", "date="),
        *("date=1763596800", "limit=0", "limit=201", "limit=1.0", "limit=x", "limit=-1"),
        *(
            "cursor=x",
            f"cursor={'A' * 32}",
            f"cursor={'_' * 32}",
            "cursor=5b0f2f2e-0000-4000-8000-000000000000",
        ),
        *("zz=1", "date=2026-11-20&date=2026-11-20"),
    ],
)
async def test_a_query_that_makes_no_sense_is_invalid(town: Town, query: str) -> None:
    refused(await town.counter.get(f"/v1/payments?{query}"), "invalid", 422)
    if "date" not in query and "A" * 32 not in query:
        refused(await town.ask("GET", f"/v1/me/timeline?{query}"), "invalid", 422)


async def test_as_of_is_the_time_of_the_partition_that_is_furthest_behind(
    town: Town, teller: Teller
) -> None:
    never = "1970-01-01T00:00:00Z"
    assert (await listed(town))["as_of"] == never
    await teller.read(NOON, but=1)
    assert ((await listed(town))["as_of"], (await timeline(town))["as_of"]) == (never, never)
    await teller.read(NOON)
    await teller.read(NOON - timedelta(hours=1))
    told = datetime.fromisoformat((await listed(town))["as_of"])
    assert NOON - timedelta(seconds=2) < told < NOON, "never backwards, and a moment is left out"
    assert datetime.fromisoformat((await timeline(town))["as_of"]) == told


async def test_both_see_the_relation_and_the_quota(town: Town, teller: Teller) -> None:
    await teller.relation()
    await teller.quota(events.QuotaOpened)
    await teller.quota(
        events.QuotaRefused, amount_fen=9, reason="poor", balances={"granted_fen": 0}
    )
    await teller.quota(events.QuotaGranted, amount_fen=500)
    await teller.quota(events.QuotaRefused, amount_fen=9, reason="poor")
    await teller.quota(events.QuotaEnded, amount_fen=500, reason="will")
    await teller.quota(events.QuotaGranted, amount_fen=7)
    wanted = {
        ("relation.activated", "active", None),
        ("quota.opened", "opened", None),
        ("quota.refused", "refused", 9),
        ("quota.granted", "active", 500),
        ("quota.refused", "active", 9),
        ("quota.ended", "ended", 500),
        ("quota.granted", "ended", 7),
    }
    for person in (town.person, SHARER):
        items = (await timeline(town, person))["items"]
        assert {(each["type"], each["state"], each.get("amount_fen")) for each in items} == wanted
        assert {each["relation_id"] for each in items} == {str(teller.relation_id)}
        assert {each.get("quota_id", "") for each in items} == {"", str(teller.quota_id)}
        assert {each["at"] for each in items} == {"2026-11-20T04:00:00Z"}


PAYMENTS: tuple[tuple[type[events.PaymentTold], dict[str, Any], str], ...] = (
    (events.PaymentHeld, {}, "held"),
    (events.PaymentReleased, {}, "released"),
    (events.PaymentExpired, {}, "expired"),
    (events.PaymentCaptured, {}, "captured"),
    (events.PaymentRefunded, {}, "captured"),
    (events.PaymentRefunded, {"receipt": {**RECEIPT, "acct_mulaid_pay_fen": 0}}, "refunded"),
    (events.PaymentReversed, {}, "reversed"),
    (events.PaymentReversed, {"reverses": "refund"}, "captured"),
)


@pytest.mark.parametrize(("told", "change", "state"), PAYMENTS)
async def test_the_sharer_sees_amount_and_day_and_never_what_was_bought(
    town: Town, teller: Teller, told: type[events.PaymentTold], change: dict[str, Any], state: str
) -> None:
    made = await teller.payment(events.PaymentHeld, NOON - timedelta(days=1))
    same = {"payment_id": made["payment_id"], "business_date": made["business_date"]}
    if told is not events.PaymentHeld:
        await teller.payment(told, NOON, amount_fen=120, **same, **change)
    # No order holds between topics: the quota is told of after its payments.
    await teller.quota(events.QuotaOpened)
    mine = (await timeline(town))["items"]
    theirs = (await timeline(town, SHARER))["items"]
    name = told.TYPE.removesuffix(".v1")
    if told is not events.PaymentHeld:
        assert (
            mine[0]
            == {
                "type": name,
                "at": "2026-11-20T04:00:00Z",
                "payment_id": str(made["payment_id"]),
                "state": state,
                "amount_fen": 120,
            }
            or mine[1]["state"] == state
        )
        assert {"type": name, "at": DAY, "amount_fen": 120} in theirs
    assert {"type": "payment.held", "at": "2026-11-19", "amount_fen": 300} in theirs
    assert len(theirs) == len(mine)
    whole = json.dumps([each for each in theirs if each["type"].startswith("payment")])
    for hidden in (str(made["payment_id"]), HOSPITAL, "outpatient", "659002", "T04"):
        assert hidden not in whole


async def test_a_premium_is_on_the_timeline_and_in_nobodys_list(town: Town, teller: Teller) -> None:
    made = await teller.payment(events.PaymentHeld, institution="", purpose="premium_390")
    [item] = (await timeline(town))["items"]
    assert (item["payment_id"], item["type"]) == (str(made["payment_id"]), "payment.held")
    assert await teller.pool.fetchval("SELECT count(*) FROM listed_payment") == 0


async def test_a_timeline_comes_in_pages_over_all_its_kinds(town: Town, teller: Teller) -> None:
    await teller.relation()
    await teller.quota(events.QuotaOpened)
    for n in range(5):
        await teller.payment(events.PaymentCaptured, NOON - timedelta(hours=n))
    for person in (town.person, SHARER):
        whole = (await timeline(town, person))["items"]
        assert len(whole) == 7
        seen: list[Any] = []
        query = "?limit=2"
        while query:
            page = await timeline(town, person, query)
            seen += page["items"]
            query = page["next_cursor"] and f"?limit=2&cursor={page['next_cursor']}"
        assert seen == whole
    stranger = Person(psn_no="44030000000000000003", cert_no="990000197503030028")
    town.neighbours.people.append(stranger)
    assert (await timeline(town, stranger))["items"] == []


async def test_a_record_that_comes_again_changes_nothing(town: Town, teller: Teller) -> None:
    await teller.payment(events.PaymentHeld)
    _, raw = await teller.tell(
        events.QuotaOpened,
        quota_id=teller.quota_id,
        relation_id=teller.relation_id,
        sharer_id=teller.sharer,
        beneficiary_id=teller.me,
    )
    before = await timeline(town)
    assert isinstance(await teller.hear(raw), Skipped)
    assert await timeline(town) == before


async def test_somebody_elses_key_and_foreign_sources_are_poison(teller: Teller) -> None:
    good = {
        "quota_id": str(uuid4()),
        "relation_id": str(uuid4()),
        "sharer_id": str(uuid4()),
        "beneficiary_id": str(uuid4()),
    }
    for topic, source, key in (
        ("wallet.quota", "/relations", str(teller.me)),
        ("relations.relation", "/wallet/cell-0", str(teller.me)),
        ("wallet.quota", "/wallet/cell-0", "nobody"),
    ):
        body = json.dumps(good).encode()
        raw = raw_of(topic, key, "quota.opened.v1", body, source=source, told_at=NOON)
        with pytest.raises(Poison):
            facts_reading().understand(raw)


async def test_a_list_needs_the_wallet_and_says_so(town: Town, teller: Teller) -> None:
    await teller.payment(events.PaymentCaptured)
    town.neighbours.silent.add("payments")
    refused(await town.counter.get(f"/v1/payments?date={DAY}"), "unavailable", 503)


async def test_no_row_of_the_read_models_names_anybody(teller: Teller) -> None:
    await teller.relation()
    await teller.quota(events.QuotaOpened)
    await teller.payment(events.PaymentCaptured)
    tables = ("listed_payment", "happening", "shared_amount", "known_quota")
    rows: list[asyncpg.Record] = []
    for table in tables:
        rows += await teller.pool.fetch(f"SELECT * FROM {table}")
    assert len(rows) >= 6
    for value in [value for row in rows for value in row.values()]:
        assert isinstance(value, UUID | datetime | date | bool | int | None) or value in (
            *(HOSPITAL, "active", "opened", "captured"),
            *("relation.activated", "quota.opened", "payment.captured"),
        )
