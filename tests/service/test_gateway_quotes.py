"""Quotes at the gateway: asked of the wallet, kept for a while, named by a payment."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import MigratedDatabase
from tests.support.gateway import Town, a_town, payment, refused
from tests.support.gateway_neighbours import HOSPITAL, PHARMACY, Person

PATH = "/v1/quotes"


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        yield town


def asking(token: str, **change: Any) -> dict[str, Any]:
    told = payment(token, **change)
    return {name: told[name] for name in ("presence_token", "purpose", "bill", "amount_fen")}


async def count(town: Town, change: str = "") -> int:
    connection = await asyncpg.connect(town.dsn, server_settings={"search_path": "cell_0"})
    try:
        if change:
            await connection.execute(change)
        return int(await connection.fetchval("SELECT count(*) FROM quote"))
    finally:
        await connection.close()


async def test_the_wallet_reckons_and_the_quote_gets_an_id(town: Town) -> None:
    token = await town.counter.presence(town.person)
    body = json.dumps(asking(token)).encode()
    response = await town.counter.send("POST", PATH, body)
    assert response.status_code == 200, response.text
    told = response.json()
    assert (told["personal_burden_fen"], told["mutual_aid_fen"]) == (2685, 2685)
    assert told["expires_at"].endswith("Z")
    [asked] = town.neighbours.quoted
    assert (asked["person_id"], asked["institution"]) == (str(town.person.person_id), HOSPITAL)
    assert (asked["amount_fen"], asked["instance"]) == (2685, PATH)
    assert "presence_token" not in asked
    other = await town.counter.send("POST", PATH, body)
    assert other.json()["quote_id"] != told["quote_id"], "without a key each is a new one"
    assert town.neighbours.batches == []


async def test_under_a_key_the_same_quote_is_given_again(town: Town) -> None:
    told = asking(await town.counter.presence(town.person))
    first = await town.counter.post(PATH, told, key="k-1")
    again = await town.counter.post(PATH, told, key="k-1")
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    changed = {**told, "amount_fen": 1}
    refused(await town.counter.post(PATH, changed, key="k-1"), "key-reused", 422)
    refused(await town.counter.post(PATH, told, key="two words"), "invalid", 422)
    assert await count(town) == 1


async def test_a_refused_quote_is_the_wallets_refusal_and_leaves_nothing(town: Town) -> None:
    told = asking(await town.counter.presence(town.person))
    problem = {"code": "quota-insufficient", "status": 422, "instance": PATH}
    town.neighbours.answers["quote"] = (422, problem)
    refused(await town.counter.post(PATH, told, key="k-1"), "quota-insufficient", 422)
    assert await count(town) == 0
    del town.neighbours.answers["quote"]
    assert (await town.counter.post(PATH, told, key="k-1")).status_code == 200


async def test_another_institutions_presence_gets_no_quote(town: Town) -> None:
    told = asking(await town.counter.presence(town.person))
    refused(await town.counter.named(PHARMACY).post(PATH, told), "presence-expired", 401)
    forged = {**told, "presence_token": "x" * 80}
    refused(await town.counter.post(PATH, forged), "presence-expired", 401)
    assert town.neighbours.quoted == []


async def test_a_payment_that_names_its_quote_is_passed_on_as_any_other(town: Town) -> None:
    told = payment(await town.counter.presence(town.person))
    given = (await town.counter.post(PATH, asking(told["presence_token"]))).json()
    named = {**told, "quote_id": given["quote_id"]}
    assert (await town.counter.post("/v1/payments", named)).status_code == 201
    assert (await town.counter.post("/v1/payments", told)).status_code == 201
    [[with_quote], [without]] = town.neighbours.batches
    assert with_quote["command"]["quote_fault"] is None
    assert "quote_fault" not in without["command"]
    new_token = {**named, "presence_token": await town.counter.presence(town.person)}
    assert (await town.counter.post("/v1/payments", new_token)).status_code == 201


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("no such quote", "unknown"),
        ("expired", "unknown"),
        ("another person's", "unknown"),
        ("another institution's", "unknown"),
        ("another bill's", "different"),
        ("another purpose's", "different"),
    ],
)
async def test_a_quote_for_something_else_is_told_to_the_wallet(
    town: Town, how: str, fault: str
) -> None:
    counter = town.counter
    change: dict[str, Any] = {}
    token = await counter.presence(town.person)
    quote_id = (await counter.post(PATH, asking(token))).json()["quote_id"]
    match how:
        case "no such quote":
            quote_id = str(uuid4())
        case "expired":
            assert await count(town, "UPDATE quote SET expires_at = clock_timestamp()") == 1
        case "another person's":
            other = Person(psn_no="44030000000000000002", cert_no="990000197503030027")
            town.neighbours.people.append(other)
            token = await counter.presence(other)
        case "another institution's":
            counter = counter.named(PHARMACY)
            token = await counter.presence(town.person)
        case "another bill's":
            change = {"bill": {**payment(token)["bill"], "mdtrt_id": "V-2"}}
        case "another purpose's":
            change = {"purpose": "inpatient"}
    await counter.post("/v1/payments", payment(token, quote_id=quote_id, **change))
    [[call]] = town.neighbours.batches
    assert call["command"]["quote_fault"] == fault


async def test_a_replay_outlives_the_quote_it_names(town: Town) -> None:
    token = await town.counter.presence(town.person)
    quote_id = (await town.counter.post(PATH, asking(token))).json()["quote_id"]
    told = payment(token, quote_id=quote_id)
    first = await town.counter.post("/v1/payments", told, key="k-1")
    assert await count(town, "UPDATE quote SET expires_at = clock_timestamp()") == 1
    [sweep] = [each for each in town.sweeps if each.name == "prune_quotes"]
    await sweep.sweep()
    assert await count(town) == 0
    again = await town.counter.post("/v1/payments", told, key="k-1")
    assert (again.status_code, again.content) == (201, first.content)
