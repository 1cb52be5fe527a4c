"""Premiums at the gateway: who may ask, what the wallet is told, and bad input (R10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import MigratedDatabase
from tests.support.gateway import Town, a_town, refused
from tests.support.gateway_neighbours import Person

pytestmark = pytest.mark.rule("R10")

DAUGHTER = Person(psn_no="44030000000000000002", cert_no="990000197503030027", insutype="310")
STRANGER = Person(psn_no="44030000000000000003", cert_no="990000197503030035")
CHILD = Person(psn_no="65900000000000000004", cert_no="990000197503030043", of_age=False)

HELD = {"payment_id": "01890a5d-ac96-774b-bcce-b302099a8061", "state": "held"}


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        town.neighbours.people += [DAUGHTER, STRANGER, CHILD]
        town.neighbours.answers["pay_premium"] = (202, HELD)
        yield town


def premium(town: Town, **changes: Any) -> dict[str, Any]:
    told = {
        "person_id": str(town.person.person_id),
        "insutype": "390",
        "year": 2027,
        "levy_no": "L-2027",
        "amount_fen": 38_000,
    }
    return {**told, **changes}


async def test_the_beneficiary_asks(town: Town) -> None:
    asked = premium(town)
    first = await town.ask("POST", "/v1/me/premiums", asked, key="k")
    again = await town.ask("POST", "/v1/me/premiums", asked, key="k")
    assert (first.status_code, first.json()) == (202, HELD)
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    [call] = town.neighbours.batches[0]
    assert call["command"] == {"type": "pay_premium", "entitled": True, **asked}
    assert call["person_id"] == str(town.person.person_id)
    other = await town.ask("POST", "/v1/me/premiums", premium(town, year=2028), key="k")
    refused(other, "key-reused", 422)


@pytest.mark.parametrize("state", ["active", "suspended"])
async def test_who_shares_asks_under_an_own_key(town: Town, state: str) -> None:
    town.neighbours.relate(DAUGHTER, town.person, state)
    answered = await town.ask("POST", "/v1/me/premiums", premium(town), person=DAUGHTER)
    assert answered.status_code == 202
    [[call]] = town.neighbours.batches
    assert (call["caller"], call["person_id"]) == (
        f"citizen:{DAUGHTER.person_id}",
        str(DAUGHTER.person_id),
    )
    assert call["command"]["person_id"] == str(town.person.person_id)
    assert call["command"]["entitled"] is True


@pytest.mark.parametrize("state", ["proposed", "declined", "ending", "ended"])
async def test_the_wallet_is_told_who_does_not_share_any_more(town: Town, state: str) -> None:
    town.neighbours.relate(DAUGHTER, town.person, state)
    await town.ask("POST", "/v1/me/premiums", premium(town), person=DAUGHTER)
    [[call]] = town.neighbours.batches
    assert call["command"]["entitled"] is False


async def test_while_it_is_activating_one_tries_again(town: Town) -> None:
    town.neighbours.relate(DAUGHTER, town.person, "activating")
    answered = await town.ask("POST", "/v1/me/premiums", premium(town), person=DAUGHTER)
    refused(answered, "relation-not-active", 409)
    assert answered.json()["retryable"] is True


async def test_strangers_see_nothing(town: Town) -> None:
    # Whom the person shares with is no sharer of the person.
    town.neighbours.relate(town.person, STRANGER)
    for asked in (premium(town), premium(town, person_id=str(uuid4()))):
        answered = await town.ask("POST", "/v1/me/premiums", asked, person=STRANGER)
        refused(answered, "not-found", 404)
    assert town.neighbours.batches == []


@pytest.mark.rule("R13")
async def test_for_a_child_the_one_who_shares_asks(town: Town) -> None:
    asked = premium(town, person_id=str(CHILD.person_id))
    refused(await town.ask("POST", "/v1/me/premiums", asked, person=CHILD), "consent-required", 403)
    town.neighbours.relate(DAUGHTER, CHILD)
    answered = await town.ask("POST", "/v1/me/premiums", asked, person=DAUGHTER)
    assert answered.status_code == 202


BAD: dict[str, Any] = {
    "person_id": [None, "x", 1, ""],
    "insutype": ["310", "340", "999", 390, None, ""],
    "year": ["2027", 2027.0, 1999, 2100, None, True],
    "levy_no": ["", "x" * 51, "a\x01b", 7, None],
    "amount_fen": ["100", 1.0, 0, -1, 10**16, None, True],
    "purpose": ["premium_390"],
}


@pytest.mark.parametrize("field", BAD)
async def test_bad_input_is_refused_by_name(town: Town, field: str) -> None:
    for value in BAD[field]:
        answered = await town.ask("POST", "/v1/me/premiums", premium(town, **{field: value}))
        refused(answered, "invalid", 422)
        assert field in answered.json()["detail"], value
    told = premium(town)
    told.pop(field, None)
    if field != "purpose":
        refused(await town.ask("POST", "/v1/me/premiums", told), "invalid", 422)
    assert town.neighbours.batches == []


async def test_a_key_is_needed(town: Town) -> None:
    headers = {"authorization": f"Bearer {town.neighbours.token(town.person)}"}
    answered = await town.client.post("/v1/me/premiums", json=premium(town), headers=headers)
    refused(answered, "key-required", 422)
