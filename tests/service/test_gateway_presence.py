"""Presence at a counter: the beneficiary's own credential gives a token, once and again (R30)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from gateway.domain.presence import PresenceSeal, ProvedPresence
from tests.conftest import MigratedDatabase
from tests.support.gateway import Town, a_town, payment, refused
from tests.support.gateway_neighbours import HOSPITAL, NAME, PERSON_NUMBER, PHARMACY, Person

OTHER_NUMBER = "990000197503030027"


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        yield town


def shown(**credential: Any) -> dict[str, Any]:
    return {"credential": {"type": "id_card", "value": PERSON_NUMBER, **credential}}


async def test_presence_tells_the_person_and_the_wallet(town: Town) -> None:
    response = await town.counter.post("/v1/presences", shown())
    assert response.status_code == 201
    told = response.json()
    assert told["person"] == {
        "person_id": str(town.person.person_id),
        "psn_no": town.person.psn_no,
        "name_masked": "李**",
        "insutype": "390",
        "insuplc_admdvs": "659002",
        "insured": True,
    }
    assert told["wallet"] == {"open": True, "available_fen": 500_00}
    left = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < left <= timedelta(minutes=30, seconds=5)
    assert set(told) == {"presence_token", "expires_at", "person", "wallet"}


@pytest.mark.rule("R30")
@pytest.mark.parametrize(
    ("credential", "code"),
    [
        ({"type": "e_certificate", "value": "code-1"}, ""),
        ({"type": "e_certificate", "value": "code-1", "name": NAME}, ""),
        ({"type": "e_certificate", "value": "code-1", "name": "王五"}, "not-found"),
        ({"type": "e_certificate", "value": "code-2"}, "not-found"),
        ({}, ""),
        ({"name": NAME}, ""),
        ({"psn_cert_type": "01"}, ""),
        ({"value": PERSON_NUMBER.lower()}, ""),
        ({"name": "王五"}, "not-found"),
        ({"value": OTHER_NUMBER}, "not-found"),
        ({"value": "990000198001010013"}, "invalid"),
        ({"value": "990000198013010012"}, "invalid"),
        ({"value": "12 34"}, "invalid"),
        ({"value": "12 34", "psn_cert_type": "02"}, "invalid"),
        ({"type": "social_card", "card_sn": "A1"}, ""),
        ({"type": "social_card"}, "invalid"),
        ({"type": "social_card", "card_sn": "A1", "value": OTHER_NUMBER}, "not-found"),
    ],
)
async def test_a_credential_is_its_owners(
    town: Town, credential: dict[str, str], code: str
) -> None:
    town.neighbours.codes["code-1"] = town.person
    response = await town.counter.post("/v1/presences", shown(**credential))
    if code:
        problem = refused(response, code, 404 if code == "not-found" else 422)
        assert credential.get("value", PERSON_NUMBER) not in json.dumps(problem)
    else:
        assert response.json()["person"]["person_id"] == str(town.person.person_id)


@pytest.mark.rule("R13")
async def test_an_agent_who_is_known_is_of_age_and_called_so(town: Town) -> None:
    child = Person(psn_no="7", cert_no="990000201603030023", name="小明", of_age=False)
    aunt = Person(psn_no="8", cert_no=OTHER_NUMBER, name="王五")
    town.neighbours.people += [child, aunt]

    def agent(person: Person, **change: str) -> dict[str, Any]:
        told = {"psn_cert_type": "01", "cert_no": person.cert_no, "name": person.name}
        return shown() | {"agent": {**told, "relation": "child"} | change}

    own = Person(name=town.person.name, cert_no=town.person.cert_no)
    for told, code, status in (
        (agent(child), "consent-required", 403),
        (agent(aunt, name="王六"), "invalid", 422),
        (agent(own), "invalid", 422),
    ):
        refused(await town.counter.post("/v1/presences", told), code, status)
    assert (await town.counter.post("/v1/presences", agent(aunt))).status_code == 201


async def test_an_agents_certificate_has_to_be_possible(town: Town) -> None:
    agent = {"psn_cert_type": "01", "cert_no": OTHER_NUMBER, "name": "王五", "relation": "child"}
    told = shown() | {"agent": agent}
    assert (await town.counter.post("/v1/presences", told)).status_code == 201
    told = shown() | {"agent": {**agent, "cert_no": "990000197503030028"}}
    refused(await town.counter.post("/v1/presences", told), "invalid", 422)


async def test_a_replay_is_byte_for_byte_even_when_the_code_is_used_up(town: Town) -> None:
    town.neighbours.codes["code-1"] = town.person
    told = shown(type="e_certificate", value="code-1")
    first = await town.counter.post("/v1/presences", told, key="k-1")
    town.neighbours.codes.clear()
    again = await town.counter.post("/v1/presences", told, key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (
        None,
        "true",
    )


async def test_a_key_is_not_used_for_another_presence_of_the_same_person(town: Town) -> None:
    first = await town.counter.post("/v1/presences", shown(), key="k-1")
    changed = shown(name=NAME)
    refused(await town.counter.post("/v1/presences", changed, key="k-1"), "key-reused", 422)
    elsewhere = await town.counter.named(PHARMACY).post("/v1/presences", changed, key="k-1")
    assert first.status_code == elsewhere.status_code == 201


async def test_fifty_under_one_key_get_one_answer(town: Town) -> None:
    answers = await asyncio.gather(
        *(town.counter.post("/v1/presences", shown(), key="k-1") for _ in range(50))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    fresh = [answer for answer in answers if "idempotency-replayed" not in answer.headers]
    assert len(fresh) == 1


@pytest.mark.rule("R30")
async def test_a_token_serves_at_its_own_counter_only(town: Town) -> None:
    token = await town.counter.presence(town.person)
    elsewhere = town.counter.named(PHARMACY)
    refused(await elsewhere.post("/v1/payments", payment(token)), "presence-expired", 401)
    assert town.neighbours.batches == []
    assert (await town.counter.post("/v1/payments", payment(token))).status_code == 201


@pytest.mark.rule("R30")
@pytest.mark.parametrize(
    "forge",
    [
        lambda _: "x",
        lambda _: "令牌",
        lambda token: token[:-4] + "AAAA",
        lambda token: token[::-1],
        lambda token: token + "A",
        lambda token: token[:-1],
        lambda token: token.rstrip("="),
        lambda token: f" {token}",
    ],
)
async def test_a_forged_token_is_refused(town: Town, forge: Any) -> None:
    token = await town.counter.presence(town.person)
    response = await town.counter.post("/v1/payments", payment(forge(token)))
    refused(response, "presence-expired", 401)
    assert town.neighbours.batches == []


async def test_an_expired_token_is_the_wallets_to_refuse(town: Town) -> None:
    """Only the wallet knows whether it is a replay, which needs no live presence."""
    then = datetime.now(UTC) - timedelta(hours=1)
    proved = ProvedPresence(
        person_id=town.person.person_id,
        institution=HOSPITAL,
        psn_no=town.person.psn_no,
        pool_admdvs="659002",
        insutype="390",
        expires_at=then,
    )
    token = PresenceSeal([town.keys.presence]).seal(proved, then)
    assert (await town.counter.post("/v1/payments", payment(token))).status_code == 201
    [[call]] = town.neighbours.batches
    assert datetime.fromisoformat(call["command"]["presence_expires_at"]) == then


async def test_nothing_of_the_credential_is_kept(town: Town) -> None:
    await town.counter.presence(town.person)
    connection = await asyncpg.connect(town.dsn, server_settings={"search_path": "cell_0"})
    try:
        for table in ("receipt", "nonce", "anchor", "outbox"):
            rows = await connection.fetch(f"SELECT {table}::text AS whole FROM {table}")
            for row in rows:
                assert PERSON_NUMBER not in row["whole"]
                assert NAME not in row["whole"]
        kept = await connection.fetch("SELECT caller, scope FROM receipt")
    finally:
        await connection.close()
    assert [(row["caller"], UUID(str(row["scope"]))) for row in kept] == [
        (f"institution:{HOSPITAL}", town.person.person_id)
    ]


async def test_a_silent_neighbour_is_unavailable_and_nothing_is_kept(town: Town) -> None:
    town.neighbours.silent.add("identify")
    refused(await town.counter.post("/v1/presences", shown(), key="k-1"), "unavailable", 503)
    town.neighbours.silent.clear()
    response = await town.counter.post("/v1/presences", shown(), key="k-1")
    assert (response.status_code, "idempotency-replayed" in response.headers) == (201, False)
