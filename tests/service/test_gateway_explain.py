"""Explanations: one story over all services, and nobody sees more of it than is theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from contracts.internal import HistoryStep, citizen_caller, institution_caller
from policy.rules import rules
from tests.conftest import MigratedDatabase
from tests.support.gateway import Town, a_town, refused
from tests.support.gateway_neighbours import HOSPITAL, PHARMACY, Person

SHARER = Person(psn_no="44030000000000000002", cert_no="990000197503030027", name="王小明")
STRANGER = Person(psn_no="44030000000000000003", cert_no="990000197503030035", name="周小舟")
LATE = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
"""In Beijing it is the 21st already."""
PAYMENT, REFUND, RELATION = uuid4(), uuid4(), uuid4()


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path, explain_seconds=0.5) as town:
        town.neighbours.people += [SHARER, STRANGER]
        yield town


def tell(town: Town) -> None:
    """A payment from one sharer, of which each service knows its part, in no order."""
    told = town.neighbours.histories
    seen_by = (institution_caller(HOSPITAL), citizen_caller(town.person.person_id))
    shares = {citizen_caller(SHARER.person_id): 700}
    told.tells(
        "wallet",
        step(
            "wallet",
            "payment.captured",
            2,
            state="captured",
            amount_fen=1_000,
            rules=("R11", "R12"),
            payment_id=PAYMENT,
            seen_by=seen_by,
            shares=shares,
        ),
        step(
            "wallet",
            "request.refused",
            1,
            key="k-1",
            refusal="quota-insufficient",
            detail="available 5, asked 9",
            rules=("R9",),
            seen_by=(institution_caller(HOSPITAL),),
        ),
        step("wallet", "account.debit-ordered", 2, amount_fen=700, rules=("R7",)),
        payments=(PAYMENT, REFUND),
        relations=(RELATION,),
    )
    told.tells(
        "settlement",
        step("settlement", "line.recorded", 3, amount_fen=700, rules=("R15",), seen_by=seen_by[:1]),
    )


def step(service: Any, type_: str, seconds: int, **more: Any) -> HistoryStep:
    at = LATE + timedelta(seconds=seconds)
    return HistoryStep(at=at, service=service, type=type_, **more)


async def as_audit(town: Town, name: object) -> httpx.Response:
    return await town.ask_as_clerk("GET", f"/v1/explain/{name}", roles=("audit",))


def types(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [each["type"] for each in response.json()["items"]]


async def test_a_clerk_sees_all_of_it_in_the_order_of_time(town: Town) -> None:
    tell(town)
    before = datetime.now(UTC)
    found = await as_audit(town, PAYMENT)
    assert types(found) == [
        *("request.refused", "payment.captured", "account.debit-ordered", "line.recorded")
    ]
    told = found.json()
    assert told["missing"] == []
    assert before <= datetime.fromisoformat(told["as_of"]) <= datetime.now(UTC)
    captured = told["items"][1]
    words = rules()["R11"]
    assert captured["rules"][0] == {"id": "R11", "text": words.text, "text_zh": words.zh}
    assert (captured["amount_fen"], captured["payment_id"]) == (1_000, str(PAYMENT))
    assert told["items"][0]["refusal"] == {
        "code": "quota-insufficient",
        "title": "The available quota is less than the amount asked for",
        "title_zh": "共济额度不足",
        "detail": "available 5, asked 9",
    }
    assert not {"seen_by", "shares", "detail"} & {name for each in told["items"] for name in each}


async def test_each_service_is_asked_for_what_it_may_know(town: Town) -> None:
    tell(town)
    await as_audit(town, PAYMENT)
    asked = town.neighbours.histories.asked
    assert {each.name for each in asked} == {str(PAYMENT)}
    assert {each.caller for each in asked} == {None}
    [lines] = [each for each in asked if each.service == "settlement"]
    assert set(lines.also) == {str(PAYMENT), str(REFUND)}
    assert [each.also for each in asked if each.service == "relations"] == [(), (str(RELATION),)]


async def test_an_institution_sees_its_own(town: Town) -> None:
    tell(town)
    own = await town.counter.get(f"/v1/explain/{PAYMENT}")
    assert types(own) == ["request.refused", "payment.captured", "line.recorded"]
    assert own.json()["items"][0]["key"] == "k-1"
    asked = town.neighbours.histories.asked
    assert {each.caller for each in asked if each.service == "wallet"} == {
        institution_caller(HOSPITAL)
    }
    refused(await town.counter.named(PHARMACY).get(f"/v1/explain/{PAYMENT}"), "not-found", 404)


async def test_the_beneficiary_sees_the_payment_and_no_order_to_the_account(town: Town) -> None:
    tell(town)
    assert types(await town.ask("GET", f"/v1/explain/{PAYMENT}")) == ["payment.captured"]


async def test_a_sharer_sees_the_own_part_and_the_day(town: Town) -> None:
    tell(town)
    found = await town.ask("GET", f"/v1/explain/{PAYMENT}", person=SHARER)
    [seen] = found.json()["items"]
    named = [each["id"] for each in seen.pop("rules")]
    assert named == ["R11", "R12"]
    assert seen == {
        "at": "2026-11-21",
        "service": "wallet",
        "type": "payment.captured",
        "amount_fen": 700,
    }


async def test_everybody_else_finds_nothing(town: Town) -> None:
    tell(town)
    refused(await town.ask("GET", f"/v1/explain/{PAYMENT}", person=STRANGER), "not-found", 404)
    for roles in ((), ("clearing",), ("prefund", "x")):
        given = await town.ask_as_clerk("GET", f"/v1/explain/{PAYMENT}", roles=roles)
        refused(given, "forbidden", 403)
    refused(await town.client.get(f"/v1/explain/{PAYMENT}"), "token-invalid", 401)
    town.neighbours.histories.known.clear()
    refused(await as_audit(town, PAYMENT), "not-found", 404)


@pytest.mark.parametrize("service", ["relations", "settlement"])
async def test_who_does_not_answer_in_time_is_named_as_missing(town: Town, service: str) -> None:
    tell(town)
    town.neighbours.histories.silent.add(service)
    found = await as_audit(town, PAYMENT)
    assert "payment.captured" in types(found)
    assert found.json()["missing"] == [{"service": service, "why": "unavailable"}]


async def test_what_somebody_silent_may_know_is_not_called_unknown(town: Town) -> None:
    town.neighbours.histories.silent.add("wallet")
    given = await as_audit(town, PAYMENT)
    refused(given, "unavailable", 503)
    assert int(given.headers["retry-after"]) >= 1


async def test_a_story_that_is_cut_short_says_so(town: Town) -> None:
    one = step("wallet", "quota.granted", 1, rules=("R7",))
    town.neighbours.histories.tells("wallet", one, is_whole=False)
    found = await as_audit(town, uuid4())
    assert found.json()["missing"] == [{"service": "wallet", "why": "too_many"}]


@pytest.mark.rule("R30")
async def test_a_presence_is_explained_by_its_key(town: Town) -> None:
    told = {"credential": {"type": "id_card", "value": town.person.cert_no}}
    await town.counter.post("/v1/presences", told, key="counter/7:presence?1")
    name = "counter/7:presence%3F1"
    for found in (await as_audit(town, name), await town.counter.get(f"/v1/explain/{name}")):
        [seen] = found.json()["items"]
        assert (seen["type"], seen["service"]) == ("request.answered", "gateway")
        assert [each["id"] for each in seen["rules"]] == ["R30"]
        assert town.person.cert_no not in found.text
        assert town.person.psn_no not in found.text
    refused(await town.counter.named(PHARMACY).get(f"/v1/explain/{name}"), "not-found", 404)
    refused(await town.ask("GET", f"/v1/explain/{name}"), "not-found", 404)


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("", "not-found", 404),
        ("%20", "not-found", 404),
        ("a%00b", "invalid", 422),
        ("%E5%85%B1", "not-found", 404),
        ("x" * 256, "not-found", 404),
        ("x" * 255, "not-found", 404),
        ("' OR 1=1 --", "not-found", 404),
        ("%25", "not-found", 404),
        ("..%2F..%2Finternal", "not-found", 404),
        ("00000000-0000-0000-0000-000000000000", "not-found", 404),
    ],
)
async def test_a_name_that_makes_no_sense_is_not_found(
    town: Town, name: str, code: str, status: int
) -> None:
    refused(await as_audit(town, name), code, status)
    refused(await town.counter.get(f"/v1/explain/{name}".replace(" ", "%20")), code, status)


async def test_it_is_read_and_changes_nothing(town: Town) -> None:
    tell(town)
    connection = await asyncpg.connect(town.dsn, server_settings={"search_path": "cell_0"})
    try:
        tables = ("receipt", "anchor", "outbox", "quote", "nonce")
        counted = "SELECT " + ", ".join(f"(SELECT count(*) FROM {each})" for each in tables)
        before = await connection.fetchrow(counted)
        assert types(await as_audit(town, PAYMENT))
        assert await connection.fetchrow(counted) == before
    finally:
        await connection.close()
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        given = await town.ask_as_clerk(method, f"/v1/explain/{PAYMENT}", {}, roles=("audit",))
        refused(given, "method-not-allowed", 405)
    body = await town.client.request(
        "GET",
        f"/v1/explain/{PAYMENT}",
        content=b"{}",
        headers={
            "authorization": f"Bearer {town.neighbours.token(clerk='沈稽核', roles=['audit'])}"
        },
    )
    refused(body, "invalid", 422)
