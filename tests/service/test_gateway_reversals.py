"""Refunds, reversals and questions about keys on their way through the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from kit.ids import new_id
from tests.conftest import MigratedDatabase
from tests.support.gateway import Town, a_town, payment, refused
from tests.support.gateway_neighbours import HOSPITAL


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        yield town


async def test_a_refund_needs_no_presence(town: Town) -> None:
    payment_id = new_id()
    path = f"/v1/payments/{payment_id}/refunds"
    told = {"amount_fen": 5, "reason": "too much", "bill_after": payment("x")["bill"]}
    first = await town.counter.post(path, told, key="k-1")
    assert first.status_code == 201
    [[call]] = town.neighbours.batches
    assert (call["person_id"], call["key"]) == (None, "k-1")
    command = call["command"]
    assert (command["type"], command["payment_id"]) == ("refund", str(payment_id))
    assert (command["institution"], command["amount_fen"]) == (HOSPITAL, 5)
    assert command["reason"] == "too much"
    assert (await town.counter.post(path, told, key="k-1")).content == first.content
    refused(await town.counter.post(path, {"amount_fen": 5}), "invalid", 422)
    refused(await town.counter.post(path.replace(str(payment_id), "x"), told), "not-found", 404)


async def test_a_reversal_names_ones_own_key_and_the_person(town: Town) -> None:
    told = {"original_key": "k-1", "person_id": str(town.person.person_id)}
    town.neighbours.answers["reverse"] = (200, {"outcome": "tombstoned", "payment_id": None})
    said = await town.counter.post("/v1/reversals", told, key="k-2")
    assert (said.status_code, said.json()["outcome"]) == (200, "tombstoned")
    [[call]] = town.neighbours.batches
    assert (call["caller"], call["key"]) == (f"institution:{HOSPITAL}", "k-2")
    assert call["person_id"] == call["command"]["person_id"] == told["person_id"]
    assert call["command"]["original_key"] == "k-1"
    assert call["command"]["institution"] == HOSPITAL
    refused(await town.counter.post("/v1/reversals", told, key="k-1"), "invalid", 422)
    for wrong in ({"original_key": ""}, {"original_key": "k" * 256}, {"person_id": "x"}):
        refused(await town.counter.post("/v1/reversals", {**told, **wrong}), "invalid", 422)


@pytest.mark.parametrize("key", ["k-1", "a/b", "%20", 'x?y#z"'])
async def test_what_is_known_of_a_key_is_asked_of_the_wallet(town: Town, key: str) -> None:
    person_id = str(town.person.person_id)
    town.neighbours.requests[f"institution:{HOSPITAL}", person_id, key] = "answered"
    path = f"/v1/requests/{quote(key, safe='')}?person_id="
    assert (await town.counter.get(path + person_id)).json() == {"state": "answered"}
    refused(await town.counter.get(path + str(uuid4())), "not-found", 404)
    refused(await town.counter.get(path), "invalid", 422)
    refused(await town.counter.get(path.partition("?")[0]), "invalid", 422)


@pytest.mark.parametrize("key", ["two%20words", "%FF", "k" * 256])
async def test_what_cannot_be_a_key_is_not_found(town: Town, key: str) -> None:
    path = f"/v1/requests/{key}?person_id={town.person.person_id}"
    refused(await town.counter.get(path), "not-found", 404)
