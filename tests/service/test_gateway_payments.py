"""Payments on their way to the wallet: routed, batched, passed back unchanged, bounded in time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kit.ids import cell_of_owner, new_id
from tests.conftest import MigratedDatabase
from tests.support.gateway import Town, a_town, payment, refused
from tests.support.gateway_neighbours import HOSPITAL, PHARMACY, Person

PATH = "/v1/payments"


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        yield town


async def test_the_wallet_gets_the_institutions_facts_and_the_caller_its_very_text(
    town: Town,
) -> None:
    told = payment(await town.counter.presence(town.person), partial="allow", admission_id="A-7")
    response = await town.counter.post(PATH, told, key="k-1")
    [[call]] = town.neighbours.batches
    assert response.text.startswith('{\n "payment_id": '), "the wallet's own spacing"
    assert (call["caller"], call["key"]) == (f"institution:{HOSPITAL}", "k-1")
    assert call["person_id"] == str(town.person.person_id)
    assert (call["instance"], len(call["fingerprint"])) == (PATH, 64)
    assert call["traceparent"].split("-")[1] == response.headers["traceparent"].split("-")[1]
    command = call["command"]
    assert {name: command[name] for name in ("institution", "institution_kind")} == {
        "institution": HOSPITAL,
        "institution_kind": "hospital",
    }
    assert (command["mdtrtarea_admvs"], command["wallet_enabled"]) == ("659002", True)
    assert (command["partial"], command["admission_id"]) == (True, "A-7")
    assert command["bill"]["psn_part_fen"] == 2685
    assert "presence_token" not in command


async def test_a_replay_and_a_reused_key_come_back_as_the_wallet_says(town: Town) -> None:
    told = payment(await town.counter.presence(town.person))
    first = await town.counter.post(PATH, told, key="k-1")
    spaced = json.dumps(dict(reversed(told.items())), indent=3).encode()
    again = await town.counter.send("POST", PATH, spaced, key="k-1")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    defaulted = {**told, "capture": True, "partial": "refuse", "quote_id": None}
    assert (await town.counter.post(PATH, defaulted, key="k-1")).content == first.content
    changed = {**told, "amount_fen": 2684}
    refused(await town.counter.post(PATH, changed, key="k-1"), "key-reused", 422)


async def test_a_refusal_comes_back_as_a_problem(town: Town) -> None:
    town.neighbours.refuse_payments = True
    told = payment(await town.counter.presence(town.person))
    problem = refused(await town.counter.post(PATH, told), "quota-insufficient", 422)
    assert problem["instance"] == PATH
    assert problem["title_zh"] == "共济额度不足"


async def test_a_hold_is_a_payment_that_is_captured_later(town: Town) -> None:
    token = await town.counter.presence(town.person)
    told = payment(token, capture=False, hold_seconds=60, admission_id="A-7", purpose="inpatient")
    held = await town.counter.post(PATH, told, key="k-1")
    [[call]] = town.neighbours.batches
    assert (held.status_code, call["command"]["type"]) == (201, "hold")
    assert (call["command"]["hold_seconds"], call["command"]["admission_id"]) == (60, "A-7")
    assert (await town.counter.post(PATH, told, key="k-1")).content == held.content


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("capture", {"amount_fen": 5}),
        ("capture", {"amount_fen": 5, "bill": payment("x")["bill"]}),
        ("extend", {"hold_seconds": 9}),
        ("release", {}),
    ],
)
async def test_what_becomes_of_a_hold_goes_to_the_cell_in_its_id(
    migrated_database: MigratedDatabase, tmp_path: Path, verb: str, told: dict[str, Any]
) -> None:
    async with a_town(migrated_database("gateway"), tmp_path, wallet_cells=3) as town:
        payment_id = new_id(2)
        path = f"{PATH}/{payment_id}/{verb}"
        town.neighbours.answers[verb] = (200, {"payment_id": str(payment_id)})
        first = await town.counter.post(path, told, key="k-1")
        assert (first.status_code, first.json()) == (200, {"payment_id": str(payment_id)})
        [[call]] = town.neighbours.batches
        assert call["person_id"] is None, "whose money it is, the wallet knows"
        assert (call["caller"], call["key"]) == (f"institution:{HOSPITAL}", "k-1")
        assert call["command"]["payment_id"] == str(payment_id)
        assert call["command"]["institution"] == HOSPITAL
        assert {name: call["command"][name] for name in told if name != "bill"} == {
            name: value for name, value in told.items() if name != "bill"
        }
        again = await town.counter.post(path, told, key="k-1")
        assert again.headers["idempotency-replayed"] == "true"
        for nobodys in (new_id(3), uuid4(), "x"):
            path = f"{PATH}/{nobodys}/{verb}"
            refused(await town.counter.post(path, told), "not-found", 404)
        assert len(town.neighbours.batches) == 2


async def test_a_release_needs_no_body_but_a_key(town: Town) -> None:
    path = f"{PATH}/{new_id()}/release"
    assert (await town.counter.send("POST", path, b"", key="k")).status_code == 201
    refused(await town.counter.send("POST", path, b"{}"), "key-required", 422)
    refused(await town.counter.post(path, {"amount_fen": 1}), "invalid", 422)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "key-required"),
        ("", "key-required"),
        ("k" * 256, "invalid"),
        ("two words", "invalid"),
        ("k" * 255, ""),
        ('"quoted"', ""),
    ],
)
async def test_a_payment_needs_a_key(town: Town, key: str | None, code: str) -> None:
    body = json.dumps(payment(await town.counter.presence(town.person))).encode()
    response = await town.counter.send("POST", PATH, body, key=key)
    if code:
        refused(response, code, 422)
    assert response.status_code == (422 if code else 201)


async def test_a_payment_is_read_by_its_own_institution_only(town: Town) -> None:
    told = payment(await town.counter.presence(town.person))
    paid = (await town.counter.post(PATH, told)).json()
    path = f"{PATH}/{paid['payment_id']}"
    assert (await town.counter.get(path)).json() == paid
    refused(await town.counter.named(PHARMACY).get(path), "not-found", 404)
    for unknown in (uuid4(), "x", paid["payment_id"].replace("-", ""), f"%7B{uuid4()}%7D"):
        refused(await town.counter.get(f"{PATH}/{unknown}"), "not-found", 404)


async def test_sixty_four_at_once_share_few_calls_and_none_is_busy(town: Town) -> None:
    token = await town.counter.presence(town.person)
    town.neighbours.wallet_seconds = 0.2
    answers = await asyncio.gather(*(town.counter.post(PATH, payment(token)) for _ in range(64)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["payment_id"] for answer in answers}) == 64
    assert sum(map(len, town.neighbours.batches)) == 64
    assert len(town.neighbours.batches) <= 8
    assert town.neighbours.most_in_flight == 1, "one call in flight"


async def test_a_lone_payment_waits_for_no_batch(town: Town) -> None:
    token = await town.counter.presence(town.person)
    for _ in range(3):
        await town.counter.post(PATH, payment(token))
    assert [len(batch) for batch in town.neighbours.batches] == [1, 1, 1]


async def test_each_cell_has_a_queue_of_its_own(
    migrated_database: MigratedDatabase, tmp_path: Path
) -> None:
    async with a_town(migrated_database("gateway"), tmp_path, wallet_cells=2) as town:
        people = [Person(cert_no=town.person.cert_no) for _ in range(12)]
        tokens = []
        for person in people:
            town.neighbours.people[:] = [person]
            tokens.append(await town.counter.presence(person))
        town.neighbours.wallet_seconds = 0.2
        await asyncio.gather(*(town.counter.post(PATH, payment(token)) for token in tokens))
        for batch in town.neighbours.batches:
            ids = {call["person_id"] for call in batch}
            cells = {cell_of_owner(p.person_id, 2) for p in people if str(p.person_id) in ids}
            assert len(cells) == 1, "no call leaves its cell"
        assert town.neighbours.most_in_flight == 2


async def test_more_than_can_be_served_is_busy_at_once(
    migrated_database: MigratedDatabase, tmp_path: Path
) -> None:
    async with a_town(migrated_database("gateway"), tmp_path, most_in_flight=64) as town:
        token = await town.counter.presence(town.person)
        town.neighbours.wallet_seconds = 1.0
        answers = await asyncio.gather(
            *(town.counter.post(PATH, payment(token)) for _ in range(80))
        )
        busy = [answer for answer in answers if answer.status_code == 429]
        assert len(busy) == 16
        assert refused(busy[0], "busy", 429)["retryable"] is True
        assert busy[0].headers["retry-after"] == "1"
        assert (await town.counter.post(PATH, payment(token))).status_code == 201


@pytest.mark.parametrize("how", ["down", "hanging", "later than the deadline"])
async def test_a_wallet_that_does_not_answer_is_unavailable_in_time(
    migrated_database: MigratedDatabase, tmp_path: Path, how: str
) -> None:
    change = {"deadline_seconds": 1.0, "neighbour_seconds": 0.5}
    if how == "later than the deadline":
        change = {"deadline_seconds": 0.5, "neighbour_seconds": 2.0}
    async with a_town(migrated_database("gateway"), tmp_path, **change) as town:
        told = payment(await town.counter.presence(town.person))
        if how == "down":
            town.neighbours.silent.add("commands")
        else:
            town.neighbours.wallet_seconds = 60
        started = time.monotonic()
        answers = await asyncio.gather(
            *(town.counter.post(PATH, told, key=f"k-{n}") for n in range(5))
        )
        assert time.monotonic() - started < 2
        for answer in answers:
            assert refused(answer, "unavailable", 503)["retryable"] is True
            assert answer.headers["retry-after"] == "1"
        town.neighbours.silent.clear()
        town.neighbours.wallet_seconds = 0
        # The call that hangs is given up first; then the wallet is asked anew.
        async with asyncio.timeout(5):
            while (await town.counter.post(PATH, told, key="k-0")).status_code != 201:
                pass
