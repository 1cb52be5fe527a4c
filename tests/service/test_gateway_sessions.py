"""Sessions: the costly signature is paid once, and a session is worth no more than its long key."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from gateway.edge.registration import NotRegistered, register_all
from gateway.main import SERVICE
from gm.key_agreement import Half
from kit.audit import audit
from kit.postgres import Pool, open_pool
from tests.conftest import MigratedDatabase
from tests.support.gateway import (
    PUBLIC,
    SessionKey,
    Town,
    a_town,
    answered_by,
    institutions,
    payment,
    refused,
    running,
)
from tests.support.gateway_neighbours import HOSPITAL, PHARMACY

PATH = "/v1/sessions"
UNKNOWN = "/v1/payments/01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        yield town


@asynccontextmanager
async def pool_of(town: Town) -> AsyncIterator[Pool]:
    pool = await open_pool(town.dsn, schema="cell_0", size=1, application_name="test")
    try:
        yield pool
    finally:
        await pool.close()


async def sessions(town: Town) -> list[asyncpg.Record]:
    async with pool_of(town) as pool:
        return await pool.fetch("SELECT * FROM session ORDER BY begun_at")


async def test_a_session_pays_and_its_holder_verifies_every_answer(town: Town) -> None:
    half = Half()
    begun = await town.counter.begin(half)
    assert begun.status_code == 201, begun.text
    told = begun.json()
    assert set(told) == {"key_id", "x25519_public_key", "algorithm", "expires_at"}
    assert told["algorithm"] == "hmac-sm3"
    left = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=11, minutes=59) < left <= timedelta(hours=12, seconds=5)
    assert answered_by(begun) == "gateway"

    counter = town.counter.in_session(told, half)
    token = await counter.presence(town.person)
    paid = await counter.post("/v1/payments", payment(token))
    assert paid.status_code == 201, paid.text
    [[call]] = town.neighbours.batches
    assert call["caller"] == f"institution:{HOSPITAL}"
    for answer in (
        paid,
        await counter.get(UNKNOWN),
        await counter.post("/v1/payments", {"presence_token": "x"}),
        await counter.send("POST", "/v1/payments", b"{not json", key="k"),
        await counter.send("POST", "/v1/payments", b"{}"),
    ):
        assert answered_by(answer) == told["key_id"], answer.text


async def test_what_is_not_verified_is_signed_by_the_long_key(town: Town) -> None:
    counter = await town.counter.begun()
    for answer in (
        await counter.send("POST", "/v1/payments", b"x" * (1 << 21), key="k"),
        await counter.get("/v1/nothing/here"),
        await counter.send("PUT", "/v1/payments", b"{}"),
    ):
        assert answer.status_code in (404, 405, 413)
        assert answered_by(answer) == "gateway"


@pytest.mark.rule("R28")
async def test_a_forged_mac_is_refused_before_anything_happens(town: Town) -> None:
    counter = await town.counter.begun()
    assert counter.session is not None
    body = json.dumps(payment(await counter.presence(town.person))).encode()
    stranger = replace(counter, session=replace(counter.session, secret=bytes(32)))
    renamed = replace(counter, session=replace(counter.session, key_id=f"session-{uuid4()}"))
    as_a_long_key = replace(
        counter, session=SessionKey(key_id=f"{HOSPITAL}-1", secret=counter.session.secret)
    )
    with_a_long_key = replace(town.counter, key_id=counter.session.key_id)
    for forger in (stranger, renamed, as_a_long_key, with_a_long_key):
        headers = forger.headers("POST", "/v1/payments", body, key="k-1")
        response = await forger.deliver("POST", "/v1/payments", headers, body)
        refused(response, "signature-invalid", 401)
        assert answered_by(response) == ""
    headers = counter.headers("POST", "/v1/payments", body, key="k-1")
    mac = base64.b64decode(headers["signature"].partition(":")[2].rstrip(":"))
    for other in (mac[:-1], mac + b"\0", b"", bytes([mac[0] ^ 1]) + mac[1:]):
        forged = {**headers, "signature": f"sig1=:{base64.b64encode(other).decode()}:"}
        response = await counter.deliver("POST", "/v1/payments", forged, body)
        refused(response, "signature-invalid", 401)
    tampered = body.replace(b'"amount_fen": 2685', b'"amount_fen": 2684')
    response = await counter.deliver("POST", "/v1/payments", headers, tampered)
    refused(response, "signature-invalid", 401)
    assert town.neighbours.batches == []


async def test_a_nonce_serves_once_in_a_session_too(town: Town) -> None:
    counter = await town.counter.begun()
    headers = counter.headers("GET", UNKNOWN)
    refused(await counter.deliver("GET", UNKNOWN, headers), "not-found", 404)
    again = await counter.deliver("GET", UNKNOWN, headers)
    refused(again, "signature-replayed", 401)
    counter.check(again, headers)


async def test_a_session_begins_no_session(town: Town) -> None:
    counter = await town.counter.begun()
    response = await counter.begin(Half())
    refused(response, "forbidden", 403)
    assert counter.session is not None
    assert answered_by(response) == counter.session.key_id
    assert len(await sessions(town)) == 1


async def test_a_replay_is_byte_for_byte_and_begins_nothing(town: Town) -> None:
    half = Half()
    first = await town.counter.begin(half, key="k-1")
    again = await town.counter.begin(half, key="k-1")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    refused(await town.counter.begin(Half(), key="k-1"), "key-reused", 422)
    elsewhere = await town.counter.named(PHARMACY).begin(half, key="k-1")
    assert elsewhere.json()["key_id"] != first.json()["key_id"]
    assert len(await sessions(town)) == 2
    refused(await town.counter.in_session(again.json(), half).get(UNKNOWN), "not-found", 404)


async def test_fifty_under_one_key_begin_one_session(town: Town) -> None:
    half = Half()
    answers = await asyncio.gather(*(town.counter.begin(half, key="k-1") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len(await sessions(town)) == 1


async def test_two_processes_begin_one_session_under_one_key(town: Town) -> None:
    half = Half()
    async with (
        running(town.settings) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as client,
    ):
        doors = (town.counter, replace(town.counter, client=client))
        for n in range(10):
            answers = await asyncio.gather(*(door.begin(half, key=f"k-{n}") for door in doors))
            assert [answer.status_code for answer in answers] == [201, 201]
            assert answers[0].content == answers[1].content
        assert len(await sessions(town)) == 10
        # What one process began, the other knows.
        other = doors[1].in_session(answers[0].json(), half)
        refused(await other.get(UNKNOWN), "not-found", 404)


async def test_a_session_needs_a_key_and_a_good_half(town: Town) -> None:
    good = base64.b64encode(Half().public).decode()
    body = json.dumps({"x25519_public_key": good}).encode()
    refused(await town.counter.send("POST", PATH, body), "key-required", 422)
    raw = Half().public
    for public in (
        "", "x", base64.b64encode(raw[:31]).decode(), base64.b64encode(raw + b"x").decode(),
        good.rstrip("="), good + "=", f" {good}", f"{good}\n", raw.hex(),
        good[:10] + "-_" + good[12:], good[:42] + "B=", good[:42] + "é=", None, 1, [good],
    ):  # fmt: skip
        response = await town.counter.post(PATH, {"x25519_public_key": public})
        refused(response, "invalid", 422)
    assert await sessions(town) == []


# All points of small order, and encodings of them that are not canonical (RFC 7748 §6.1).
P = 2**255 - 19
LOW_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P - 1,
    P,
    P + 1,
    2**255,
    2**255 + 1,
]


@pytest.mark.parametrize("point", LOW_ORDER)
async def test_a_point_of_low_order_is_invalid(town: Town, point: int) -> None:
    public = base64.b64encode(point.to_bytes(32, "little")).decode()
    problem = refused(
        await town.counter.post(PATH, {"x25519_public_key": public}, key="k-1"), "invalid", 422
    )
    assert "low order" in problem["detail"]
    assert await sessions(town) == []
    assert (await town.counter.begin(Half(), key="k-1")).status_code == 201, "it was not kept"


async def test_the_key_is_kept_sealed_and_told_to_nobody(town: Town) -> None:
    half = Half()
    answer = await town.counter.begin(half)
    counter = town.counter.in_session(answer.json(), half)
    assert counter.session is not None
    secret = counter.session.secret
    async with pool_of(town) as pool:
        for table in ("session", "receipt", "outbox", "anchor"):
            for row in await pool.fetch(f"SELECT {table}::text AS whole FROM {table}"):
                for told in (secret.hex(), base64.b64encode(secret).decode()):
                    assert told not in row["whole"]
    assert answer.json()["x25519_public_key"] != base64.b64encode(half.public).decode()
    [kept] = await sessions(town)
    # A sealed session is no presence token, though the same keys seal both.
    response = await counter.post("/v1/payments", payment(kept["sealed_key"]))
    refused(response, "presence-expired", 401)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key_id": "session-1"}, "only sessions are named so"),
        ({"algorithm": "hmac-sm3", "public_key_pem": "x" * 32}, "has no public key"),
    ],
)
async def test_an_institutions_own_key_is_no_session(
    town: Town, change: dict[str, Any], said: str
) -> None:
    told = institutions(town.keys)[:1]
    told[0]["keys"][0] |= change
    async with pool_of(town) as pool:
        with pytest.raises(NotRegistered, match=said):
            await register_all(pool, json.dumps(told).encode())


async def test_the_schema_keeps_sessions_apart_and_short(town: Town) -> None:
    await town.counter.begun()
    async with pool_of(town) as pool:
        for change in (
            "key_id = 'H65900200001-1'",
            "expires_at = begun_at",
            "expires_at = begun_at + interval '12 hours 1 second'",
            "begun_by = 'nobody'",
            "institution = 'H00000000000'",
        ):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await pool.execute(f"UPDATE session SET {change}")
        await pool.execute("UPDATE session SET institution = $1", PHARMACY)
        assert len(await audit(town.dsn, 1, SERVICE.audits)) == 1
        await pool.execute("UPDATE session SET institution = $1", HOSPITAL)
