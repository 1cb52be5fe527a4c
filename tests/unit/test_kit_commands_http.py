"""The desk: many calls in, an answer each, and one bad call hurts only itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field

from kit.answers import answer
from kit.commands_http import CommandDesk, command_id
from kit.health import Health
from kit.http import create_app
from kit.json_body import described
from kit.refusal import NotFound, Refusal, Unavailable
from kit.work import Broken, Job, Outcome


class Ask(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    caller: str
    person_id: UUID | None
    key: str | None
    fingerprint: str
    instance: str
    traceparent: str | None = None
    command: int


class Asks(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    calls: Annotated[tuple[Ask, ...], Field(min_length=1, strict=False)]


PERSON = uuid4()


def ask(command: object, key: str | None = None) -> dict[str, Any]:
    return {
        "caller": "c",
        "person_id": str(PERSON),
        "key": key,
        "fingerprint": "0a",
        "instance": "/v1/things",
        "command": command,
    }


class Room:
    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def door(self, jobs: Sequence[Job]) -> list[Outcome]:
        self.jobs += jobs
        return [
            Broken(error=ValueError()) if job.command == 13 else answer(200, {"n": job.command})
            for job in jobs
        ]

    async def closed(self, jobs: Sequence[Job]) -> list[Outcome]:
        raise Unavailable("gone")


TOKEN = "t" * 16


@pytest.fixture
async def room() -> Room:
    return Room()


@pytest.fixture(params=["direct", "beyond"])
async def client(room: Room, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    async def anchors_of(call: Any) -> tuple[UUID, ...]:
        return (UUID(int=call.command),)

    desk = CommandDesk(
        calls=Asks,
        doors={0: room.door, 1: room.closed},
        cell_of=lambda call: 1 if call.command == 99 else 0,
        anchors_of=anchors_of,
    )
    app = create_app("desk", health=Health())
    app.add_api_route("/commands", desk.answer, methods=["POST"], openapi_extra=described(Asks))
    if request.param == "direct":
        desk.serve(app, "/commands", token=TOKEN)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://desk", headers={"authorization": f"Bearer {TOKEN}"}
    ) as client:
        yield client
    await desk.close()


async def post(client: httpx.AsyncClient, *calls: dict[str, Any]) -> httpx.Response:
    return await client.post("/commands", content=orjson.dumps({"calls": calls}))


async def test_each_call_has_its_own_answer_in_its_own_place(client: httpx.AsyncClient) -> None:
    response = await post(client, ask(1), ask(13), ask(99), ask(2))
    assert response.status_code == 200
    given = response.json()["answers"]
    assert [one["status"] for one in given] == [200, 500, 503, 200]
    assert given[0]["body"] == '{"n":1}'
    assert orjson.loads(given[1]["body"])["code"] == "internal"
    assert orjson.loads(given[2]["body"])["instance"] == "/v1/things"
    assert given[2]["retry_after"] == 1
    assert given[3]["body"] == '{"n":2}'


@pytest.mark.parametrize("client", ["direct"], indirect=True)
@pytest.mark.parametrize("given", ["", "Bearer", f"Bearer {TOKEN}x", "Bearer \u00e9"])
async def test_without_the_service_token_nothing_is_read(
    client: httpx.AsyncClient, room: Room, given: str
) -> None:
    headers = [(b"authorization", given.encode("latin-1"))]
    response = await client.post("/commands", content=b"[", headers=headers)
    assert response.status_code == 403
    assert response.json()["code"] == "forbidden"
    assert room.jobs == []


async def test_a_malformed_request_is_refused_whole(client: httpx.AsyncClient, room: Room) -> None:
    for body in (b"[", b"{}", b'{"calls":[]}', orjson.dumps({"calls": [ask(1), ask("1")]})):
        response = await client.post("/commands", content=body)
        assert response.status_code == 422
        assert response.json()["code"] == "invalid"
    assert room.jobs == []


async def test_a_key_makes_a_receipt_and_an_id_that_a_retry_repeats(
    client: httpx.AsyncClient, room: Room
) -> None:
    await post(client, ask(1, "k"), ask(1))
    await post(client, ask(1, "k"), ask(1))
    keyed, bare, keyed_again, bare_again = room.jobs
    assert keyed.receipt is not None
    assert keyed.receipt.scope in keyed.anchors
    assert keyed.receipt.fingerprint == b"\x0a"
    assert keyed.command_id == keyed_again.command_id
    assert bare.receipt is None
    assert bare.command_id != bare_again.command_id
    call = Ask.model_validate_json(orjson.dumps(ask(1, "k")))
    assert command_id(call, PERSON) == keyed.command_id


async def test_the_body_is_described_without_a_dangling_reference(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).text
    assert "#/$defs" not in document
    assert '"fingerprint"' in document


async def test_whom_a_call_concerns_may_be_for_the_service_to_know(room: Room) -> None:
    known = uuid4()

    async def persons_of(calls: Sequence[Any]) -> list[UUID | Refusal]:
        return [known if call.command == 1 else NotFound() for call in calls]

    async def anchors_of(_call: Any) -> tuple[UUID, ...]:
        return ()

    desk = CommandDesk(
        calls=Asks,
        doors={0: room.door},
        cell_of=lambda _call: 0,
        anchors_of=anchors_of,
        persons_of=persons_of,
    )
    calls = [{**ask(command, "k"), "person_id": None} for command in (1, 2)]
    given = await desk.perform(Asks.model_validate_json(orjson.dumps({"calls": calls})).calls)
    assert [one.status for one in given] == [200, 404]
    [job] = room.jobs
    assert job.anchors == (known,)
    assert job.receipt is not None
    assert job.receipt.scope == known
    await desk.close()


async def test_a_call_says_whom_it_concerns(client: httpx.AsyncClient, room: Room) -> None:
    response = await post(client, {**ask(1), "person_id": None}, ask(2))
    assert [one["status"] for one in response.json()["answers"]] == [422, 200]
    assert [job.command for job in room.jobs] == [2]
