"""Months at the gateway: who may move one on, whom that is asked of, and what is told again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from contracts.clearing import Period
from gateway.edge.line import Line
from kit.refusal import Busy, Unavailable
from tests.conftest import MigratedDatabase
from tests.support.gateway import PUBLIC, Town, a_town, refused, running
from tests.support.gateway_months import Meeting

NOVEMBER = "/v1/periods/2026-11"
STEPS = ("cut", "issue", "close")


@pytest.fixture
async def town(migrated_database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(migrated_database("gateway"), tmp_path) as town:
        yield town


async def step(town: Town, verb: str, *, month: str = "2026-11", **who: Any) -> httpx.Response:
    return await town.ask_as_clerk("POST", f"/v1/periods/{month}/{verb}", {}, **who)


async def state(town: Town, path: str = NOVEMBER) -> str:
    told = await town.ask_as_clerk("GET", path)
    assert told.status_code == 200, told.text
    return Period.model_validate_json(told.content).state


async def receipts(town: Town) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(town.dsn, server_settings={"search_path": "cell_0"})
    try:
        return await connection.fetch("SELECT caller, key, status, body FROM receipt")
    finally:
        await connection.close()


async def test_a_clerk_moves_a_month_on(town: Town) -> None:
    months = town.neighbours.months
    assert await state(town) == "open"
    cut = await step(town, "cut")
    assert (cut.status_code, cut.json()["state"]) == (200, "cut")
    assert await state(town) == "cut"
    for verb, before, after in (("issue", "balanced", "issued"), ("close", "paid", "closed")):
        months.known["2026-11"] = before
        assert await state(town) == before
        done = await step(town, verb)
        assert done.status_code == 200
        assert Period.model_validate_json(done.content).state == after
        assert await state(town) == after
    [asked] = months.heard("wallet cut")
    assert asked == {"period": "2026-11", "instance": f"{NOVEMBER}/cut"}
    assert months.heard("settlement issue") == [
        {"period": "2026-11", "instance": f"{NOVEMBER}/issue"}
    ]


@pytest.mark.parametrize("later", ["balanced", "issued", "confirmed", "paid", "closed"])
async def test_a_step_taken_before_answers_how_far_the_month_is_now(town: Town, later: str) -> None:
    await step(town, "cut")
    town.neighbours.months.known["2026-11"] = later
    again = await step(town, "cut")
    assert (again.status_code, again.json()["state"]) == (200, later)


async def test_a_month_that_settlement_holds_for_open_is_cut_when_the_wallet_says_so(
    town: Town,
) -> None:
    town.neighbours.months.known["2026-11"] = "open"
    assert await state(town) == "open"
    assert (await step(town, "cut")).json()["state"] == "cut"
    assert await state(town) == "cut"


async def test_a_month_is_cut_while_settlement_is_silent(town: Town) -> None:
    town.neighbours.months.silent.add("settlement")
    cut = await step(town, "cut")
    assert (cut.status_code, cut.json()["state"]) == (200, "cut")
    refused(await town.ask_as_clerk("GET", NOVEMBER), "unavailable", 503)
    refused(await step(town, "close"), "unavailable", 503)


async def test_a_month_is_cut_though_settlement_has_no_answer_for_it(town: Town) -> None:
    town.neighbours.months.refuses["settlement find"] = Unavailable()
    cut = await step(town, "cut")
    assert (cut.status_code, cut.json()["state"]) == (200, "cut")
    refused(await town.ask_as_clerk("GET", NOVEMBER), "unavailable", 503)


async def test_the_wrong_order_is_refused_for_good(town: Town) -> None:
    months = town.neighbours.months
    problem = refused(await step(town, "cut", month="2026-12", key="k"), "wrong-state", 409)
    assert problem["instance"] == "/v1/periods/2026-12/cut"
    months.last_cut = "2026-11"
    replayed = await step(town, "cut", month="2026-12", key="k")
    refused(replayed, "wrong-state", 409)
    assert replayed.headers["idempotency-replayed"] == "true"
    assert (await step(town, "cut", month="2026-12", key="k2")).status_code == 200
    months.known["2026-11"] = "cut"
    for verb in ("issue", "close"):
        refused(await step(town, verb), "wrong-state", 409)


async def test_a_month_that_nobody_knows_is_not_found(town: Town) -> None:
    refused(await town.ask_as_clerk("GET", "/v1/periods/2027-01"), "not-found", 404)
    for verb in ("issue", "close"):
        refused(await step(town, verb, month="2027-01", key=verb), "not-found", 404)
    assert await receipts(town) == []


@pytest.mark.parametrize("verb", ["issue", "close"])
async def test_a_month_that_settlement_was_not_told_of_is_in_the_wrong_state(
    town: Town, verb: str
) -> None:
    problem = refused(await step(town, verb, key="k"), "wrong-state", 409)
    assert (problem["detail"], problem["instance"]) == ("the month is open", f"{NOVEMBER}/{verb}")
    assert (await step(town, verb, key="k")).headers["idempotency-replayed"] == "true"
    await step(town, "cut")
    assert refused(await step(town, verb), "wrong-state", 409)["detail"] == "the month is cut"


async def test_a_replay_is_byte_for_byte_and_asks_nobody(town: Town) -> None:
    months = town.neighbours.months
    first = await step(town, "cut", key="k")
    months.known["2026-11"] = "balanced"
    asked = len(months.asked)
    again = await step(town, "cut", key="k")
    assert (again.status_code, again.content) == (200, first.content)
    assert b"\n" in first.content, "the text is the wallet's own"
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (
        None,
        "true",
    )
    assert len(months.asked) == asked
    [kept] = await receipts(town)
    assert (kept["caller"], kept["key"], kept["status"]) == ("clerk:林清算", "k", 200)


async def test_a_key_is_good_for_one_request(town: Town) -> None:
    months = town.neighbours.months
    await step(town, "cut", key="k")
    asked = len(months.asked)
    refused(await step(town, "cut", month="2026-12", key="k"), "key-reused", 422)
    refused(await step(town, "issue", key="k"), "key-reused", 422)
    assert len(months.asked) == asked, "another request under the key is asked of nobody"
    assert months.last_cut == "2026-11"


async def test_a_key_is_its_clerks_own(town: Town) -> None:
    await step(town, "cut", key="k")
    others = await step(town, "cut", month="2026-12", name="王复核", key="k")
    assert (others.status_code, others.json()["period"]) == (200, "2026-12")
    assert "idempotency-replayed" not in others.headers


@pytest.mark.parametrize("refusal", [Unavailable(), Busy()], ids=lambda each: each.code())
async def test_what_is_not_final_is_not_kept(town: Town, refusal: Busy | Unavailable) -> None:
    months = town.neighbours.months
    months.refuses["wallet cut"] = refusal
    told = await step(town, "cut", key="k")
    refused(told, refusal.code(), refusal.status)
    assert told.headers["retry-after"] == "1"
    refused(await step(town, "close", month="2027-01", key="k2"), "not-found", 404)
    months.refuses.clear()
    months.silent.add("wallet")
    refused(await step(town, "cut", key="k"), "unavailable", 503)
    assert await receipts(town) == []
    months.silent.clear()
    assert (await step(town, "cut", key="k")).status_code == 200


async def test_the_same_key_at_once_is_in_progress(town: Town) -> None:
    months = town.neighbours.months
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        inside.set()
        await go_on.wait()

    months.gate = hold
    first = asyncio.create_task(step(town, "cut", key="k"))
    await inside.wait()
    for other in (step(town, "cut", key="k"), step(town, "close", key="k")):
        told = await other
        assert refused(told, "in-progress", 409)["retryable"] is True
        assert told.headers["retry-after"] == "1"
    months.gate = None
    go_on.set()
    assert (await first).status_code == 200
    assert (await step(town, "cut", key="k")).content == (await first).content
    assert len(months.heard("wallet cut")) == 1


async def test_of_two_gateways_at_once_the_first_answer_is_both_clerks(town: Town) -> None:
    months = town.neighbours.months
    meeting = Meeting(2)
    async with (
        running(town.settings) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as beside,
    ):
        token = town.neighbours.token(clerk="林清算", roles=["clearing"])
        headers = {"authorization": f"Bearer {token}", "idempotency-key": "k"}

        async def gate() -> None:
            # Only the cut: the first of the two to be past it does not wait for the other again.
            if len(months.heard("settlement find")) == 0:
                await meeting.wait()

        months.gate = gate
        answers = await asyncio.gather(
            *(
                client.post(f"{NOVEMBER}/cut", json={}, headers=headers)
                for client in (town.client, beside)
            )
        )
    assert len(months.heard("wallet cut")) == 2, "they were there at once"
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert sorted("idempotency-replayed" in each.headers for each in answers) == [False, True]
    assert len(await receipts(town)) == 1


FORBIDDEN: dict[str, dict[str, Any]] = {
    "a clerk without roles": {"clerk": "林清算"},
    "a clerk of another role": {"clerk": "林清算", "roles": ["audit", "CLEARING", "clearing "]},
    "a citizen": {"psn_no": "65900000000000000001"},
    "a citizen who claims the role": {"psn_no": "65900000000000000001", "roles": ["clearing"]},
    "a citizen who claims to be a clerk": {
        "psn_no": "65900000000000000001",
        "clerk": "林清算",
        "roles": ["clearing"],
    },
    "nobody": {"roles": ["clearing"]},
}
NO_GOOD: dict[str, dict[str, Any]] = {
    "a clerk's name is a number": {"clerk": 7},
    "no name": {"clerk": ""},
    "roles are a text": {"clerk": "林清算", "roles": "clearing"},
    "expired": {"clerk": "林清算", "roles": ["clearing"], "exp": 1},
    "another audience": {"clerk": "林清算", "roles": ["clearing"], "aud": "x"},
}
ROUTES = [
    ("GET", NOVEMBER),
    ("GET", f"{NOVEMBER}/statements?tier=national"),
    ("GET", "/v1/prefunds"),
    *(("POST", f"{NOVEMBER}/{verb}") for verb in STEPS),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_only_clerks_for_clearing_are_let_in(town: Town, method: str, path: str) -> None:
    body: Any = {} if method == "POST" else None
    for name, claims in FORBIDDEN.items():
        told = await town.bear(town.neighbours.token(**claims), method, path, body)
        assert told.json()["code"] == "forbidden", name
        assert told.status_code == 403
    for name, claims in NO_GOOD.items():
        told = await town.bear(town.neighbours.token(**claims), method, path, body)
        assert told.json()["code"] == "token-invalid", name
        assert told.headers["www-authenticate"].startswith("Bearer")
    headers = {"idempotency-key": "k"}
    told = await town.client.request(method, path, json=body, headers=headers)
    refused(told, "token-invalid", 401)
    assert town.neighbours.months.asked == []
    assert await receipts(town) == []


async def test_who_signs_is_no_clerk(town: Town) -> None:
    for method, path in ROUTES:
        if "statements" not in path:
            body = b"{}" if method == "POST" else b""
            told = await town.counter.deliver(
                method, path, town.counter.headers(method, path, body, key="k"), body
            )
            refused(told, "token-invalid", 401)


@pytest.mark.parametrize(
    "month",
    [
        *("2026-13", "2026-00", "abc", "2026-1", "202611", "1999-11", "2026-11-01"),
        *("%EF%BC%92026-11", "0" * 999, "2026-11%0A", "%20", "..%2f..", "%ff"),
    ],
)
async def test_what_is_no_month_is_not_found(town: Town, month: str) -> None:
    path = f"/v1/periods/{month}"
    refused(await town.ask_as_clerk("GET", path), "not-found", 404)
    for verb in STEPS:
        refused(await town.ask_as_clerk("POST", f"{path}/{verb}", {}), "not-found", 404)
    for told in (
        await town.ask_as_clerk("GET", f"{path}/statements?tier=national"),
        await town.counter.get(f"{path}/statements?tier=institution"),
    ):
        refused(told, "not-found", 404)
    assert town.neighbours.months.asked == []


@pytest.mark.parametrize("verb", STEPS)
async def test_a_step_needs_a_key_and_takes_no_field(town: Town, verb: str) -> None:
    path = f"{NOVEMBER}/{verb}"
    token = town.neighbours.token(clerk="林清算", roles=["clearing"])
    bearer = {"authorization": f"Bearer {token}"}
    refused(await town.client.post(path, json={}, headers=bearer), "key-required", 422)
    for key in ("", "a b", "k" * 256):
        keyed = {**bearer, "idempotency-key": key}
        told = await town.client.post(path, json={}, headers=keyed)
        refused(told, "key-required" if key == "" else "invalid", 422)
    bodies: tuple[Any, ...] = ({"early": True}, {"period": "2026-11"}, [], "x", 1)
    for body in bodies:
        keyed = {**bearer, "idempotency-key": uuid4().hex}
        refused(await town.client.post(path, json=body, headers=keyed), "invalid", 422)
    assert town.neighbours.months.asked == []
    assert await receipts(town) == []


async def test_nothing_stands_for_the_empty_body(town: Town) -> None:
    """Both say the same, also to a key."""
    first = await step(town, "cut", key="k")
    none = await town.ask_as_clerk("POST", f"{NOVEMBER}/cut", key="k")
    assert none.request.content == b""
    assert (none.status_code, none.content) == (200, first.content)


async def test_no_database_is_unavailable_before_anybody_is_asked(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be kept afterwards is not begun."""

    async def unreachable(*_: object, **__: object) -> None:
        raise asyncpg.ConnectionDoesNotExistError("gone")

    monkeypatch.setattr("gateway.edge.kept.read_receipts", unreachable)
    refused(await step(town, "cut"), "unavailable", 503)
    assert town.neighbours.months.asked == []


async def test_what_a_neighbour_says_in_another_form_is_no_answer(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Line.send

    async def failing(line: Line, method: str, target: str, body: bytes = b"") -> Any:
        reply = await before(line, method, target, body)
        return type(reply)(500, b"{}") if target.startswith("/internal/periods") else reply

    monkeypatch.setattr(Line, "send", failing)
    refused(await step(town, "cut"), "unavailable", 503)
    refused(await town.ask_as_clerk("GET", NOVEMBER), "unavailable", 503)
    assert await receipts(town) == []
