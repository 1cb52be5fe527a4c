"""Statements and prefunds at the gateway: clerks see all, an institution that signs its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.clearing import PrefundsListed, Statement
from kit.refusal import NotFound
from tests.conftest import MigratedDatabase
from tests.support.gateway import Town, a_town, refused
from tests.support.gateway_neighbours import HOSPITAL, PHARMACY

STATEMENTS = "/v1/periods/2026-11/statements"


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        town.neighbours.months.known["2026-11"] = "issued"
        yield town


ASKED = {
    "tier=national": ("national", None, None),
    "tier=province&admdvs=440000": ("province", "440000", None),
    "tier=city&admdvs=440300": ("city", "440300", None),
    f"tier=institution&institution={HOSPITAL}": ("institution", None, HOSPITAL),
}


@pytest.mark.parametrize("query", ASKED)
async def test_a_clerk_sees_every_tier(town: Town, query: str) -> None:
    answered = await town.ask_as_clerk("GET", f"{STATEMENTS}?{query}")
    assert answered.status_code == 200, answered.text
    told = Statement.model_validate_json(answered.content)
    tier, admdvs, institution = ASKED[query]
    assert told.tier == tier
    [asked] = town.neighbours.months.heard("settlement statements")
    assert asked == {
        "period": "2026-11",
        "instance": STATEMENTS,
        "tier": tier,
        "admdvs": admdvs,
        "institution": institution,
    }
    assert b"\n" in answered.content, "the text is settlement's own"
    assert "signature" not in answered.headers


@pytest.mark.parametrize("query", ["tier=institution", f"tier=institution&institution={HOSPITAL}"])
async def test_an_institution_sees_its_own(town: Town, query: str) -> None:
    answered = await town.counter.get(f"{STATEMENTS}?{query}")
    assert answered.status_code == 200, answered.text
    [line] = answered.json()["lines"]
    assert line["creditor"] == HOSPITAL
    [asked] = town.neighbours.months.heard("settlement statements")
    assert (asked["tier"], asked["institution"]) == ("institution", HOSPITAL)


async def test_an_institution_sees_its_own_in_a_session(town: Town) -> None:
    counter = await town.counter.named(PHARMACY).begun()
    answered = await counter.get(f"{STATEMENTS}?tier=institution")
    assert answered.status_code == 200
    [asked] = town.neighbours.months.heard("settlement statements")
    assert asked["institution"] == PHARMACY


async def test_anothers_statement_is_not_found(town: Town) -> None:
    for code in (PHARMACY, "H00000000000"):
        told = await town.counter.get(f"{STATEMENTS}?tier=institution&institution={code}")
        refused(told, "not-found", 404)
    assert town.neighbours.months.asked == []


@pytest.mark.parametrize("query", [each for each in ASKED if "institution" not in each])
async def test_an_institution_sees_no_other_tier(town: Town, query: str) -> None:
    for more in ("", f"&institution={HOSPITAL}"):
        refused(await town.counter.get(f"{STATEMENTS}?{query}{more}"), "forbidden", 403)
    assert town.neighbours.months.asked == []


async def test_neither_signature_nor_token_is_told_both_ways(town: Town) -> None:
    told = await town.client.get(f"{STATEMENTS}?tier=national")
    refused(told, "token-invalid", 401)
    assert told.headers["www-authenticate"] == 'Bearer error="invalid_token", Signature'


async def test_a_bad_signature_is_not_mended_by_a_good_token(town: Town) -> None:
    path = f"{STATEMENTS}?tier=institution"
    token = town.neighbours.token(clerk="林清算", roles=["clearing"])
    headers = town.counter.headers("GET", f"{STATEMENTS}?tier=national")
    headers["authorization"] = f"Bearer {token}"
    refused(await town.counter.deliver("GET", path, headers), "signature-invalid", 401)
    assert town.neighbours.months.asked == []


async def test_who_signs_is_an_institution_whatever_token_is_sent(town: Town) -> None:
    path = f"{STATEMENTS}?tier=national"
    token = town.neighbours.token(clerk="林清算", roles=["clearing"])
    headers = {**town.counter.headers("GET", path), "authorization": f"Bearer {token}"}
    refused(await town.counter.deliver("GET", path, headers), "forbidden", 403)


@pytest.mark.rule("R28")
async def test_a_signature_opens_a_statement_once(town: Town) -> None:
    path = f"{STATEMENTS}?tier=institution"
    headers = town.counter.headers("GET", path)
    assert (await town.counter.deliver("GET", path, headers)).status_code == 200
    refused(await town.counter.deliver("GET", path, headers), "signature-replayed", 401)
    assert len(town.neighbours.months.asked) == 1


async def test_before_it_is_issued_there_is_none(town: Town) -> None:
    town.neighbours.months.known["2026-11"] = "balanced"
    query = "?tier=institution"
    refused(await town.counter.get(STATEMENTS + query), "wrong-state", 409)
    refused(await town.ask_as_clerk("GET", f"{STATEMENTS}?tier=national"), "wrong-state", 409)
    del town.neighbours.months.known["2026-11"]
    told = await town.counter.get(STATEMENTS + query)
    assert refused(told, "wrong-state", 409)["detail"] == "the month is open"
    path = "/v1/periods/2027-01/statements"
    refused(await town.counter.get(path + query), "not-found", 404)
    refused(await town.ask_as_clerk("GET", f"{path}?tier=national"), "not-found", 404)


async def test_what_settlement_does_not_know_of_an_issued_month_is_not_found(town: Town) -> None:
    town.neighbours.months.refuses["settlement statements"] = NotFound("no such province")
    told = await town.ask_as_clerk("GET", f"{STATEMENTS}?tier=province&admdvs=999999")
    assert refused(told, "not-found", 404)["detail"] == "no such province"


BAD = (
    *("", "tier=", "tier=region", "tier=National", "admdvs=440000", "tier=national&tier=city"),
    *("tier=province&admdvs=44", "tier=province&admdvs=4400000", "tier=province&admdvs=44000x"),
    *("tier=institution&institution=x", "tier=institution&institution=H1", "tier=national&x=1"),
    *("tier=national&admdvs=", "tier=national&limit=1", "tier", "tier=national&%ff=1"),
)


@pytest.mark.parametrize("query", BAD)
async def test_a_query_that_makes_no_sense_is_invalid(town: Town, query: str) -> None:
    path = f"{STATEMENTS}?{query}"
    refused(await town.ask_as_clerk("GET", path), "invalid", 422)
    if query:  # The client would not send a mark that nothing follows.
        refused(await town.counter.get(path), "invalid", 422)
    assert town.neighbours.months.asked == []


async def test_what_a_tier_is_of_settlement_says(town: Town) -> None:
    for query in ("tier=province", "tier=national&admdvs=440000", "tier=institution"):
        refused(await town.ask_as_clerk("GET", f"{STATEMENTS}?{query}"), "invalid", 422)
    assert len(town.neighbours.months.heard("settlement statements")) == 3


async def test_a_clerk_sees_prefunds_page_by_page(town: Town) -> None:
    first = await town.ask_as_clerk("GET", "/v1/prefunds")
    assert first.status_code == 200
    told = PrefundsListed.model_validate_json(first.content)
    assert (told.items[0].ratio_percent, told.items[0].level) == (71, "yellow")
    await town.ask_as_clerk("GET", f"/v1/prefunds?limit=7&cursor={told.next_cursor}")
    assert town.neighbours.months.heard("settlement prefunds") == [
        {"limit": 50, "after": None, "instance": "/v1/prefunds"},
        {"limit": 7, "after": "440000-660000", "instance": "/v1/prefunds"},
    ]


async def test_a_clerk_for_prefunds_sees_them_and_no_month(town: Town) -> None:
    told = await town.ask_as_clerk("GET", "/v1/prefunds", roles=["prefund"])
    assert told.status_code == 200
    for path in ("/v1/periods/2026-11", f"{STATEMENTS}?tier=national"):
        told = await town.ask_as_clerk("GET", path, roles=["prefund"])
        refused(told, "forbidden", 403)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=1.0", "limit=x", "cursor=x", "cursor=", "debtor=1"]
)
async def test_a_page_that_makes_no_sense_is_invalid(town: Town, query: str) -> None:
    refused(await town.ask_as_clerk("GET", f"/v1/prefunds?{query}"), "invalid", 422)
    assert town.neighbours.months.asked == []


async def test_while_settlement_is_silent_nothing_is_told(town: Town) -> None:
    town.neighbours.months.silent.add("settlement")
    for path in (f"{STATEMENTS}?tier=national", "/v1/prefunds"):
        refused(await town.ask_as_clerk("GET", path), "unavailable", 503)
