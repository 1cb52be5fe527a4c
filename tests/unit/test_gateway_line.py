"""A line to one of our own services, over real sockets: kept, never shared, never asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop

from gateway.edge import line as lines
from gateway.edge.line import Line, Reply, Silent
from tests.support.town_until import until_so

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass(slots=True)
class Service:
    """Says `replies` in their order, one a request; b"" ends the connection instead."""

    replies: list[bytes] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.heard.append(head + await reader.readexactly(length))
                await self.hold.wait()
                reply = self.replies.pop(0) if self.replies else OK
                if not reply:
                    break
                for part in reply.split(b"|"):
                    writer.write(part)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(service: Service) -> AsyncIterator[Line]:
    server = await asyncio.start_server(service.talk, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    line = Line(f"http://127.0.0.1:{service.port}", token="t")
    try:
        yield line
    finally:
        line.close()
        server.close()


@pytest.fixture
async def service() -> Service:
    made = Service()
    made.hold.set()
    return made


async def test_a_request_says_who_asks_and_its_answer_is_the_other_sides(service: Service) -> None:
    service.replies = [b"HTTP/1.1 422 |No\r\ncontent-le|ngth: 7\r\n\r\n|abc|defg"]
    async with listening(service) as line:
        reply = await line.send("POST", "/internal/commands?x=1", b"{}")
    assert reply == Reply(422, b"abcdefg")
    head, _, body = service.heard[0].partition(b"\r\n\r\n")
    lines_said = head.split(b"\r\n")
    assert lines_said[0] == b"POST /internal/commands?x=1 HTTP/1.1"
    assert b"authorization: Bearer t" in lines_said
    assert f"host: 127.0.0.1:{service.port}".encode() in lines_said
    assert body == b"{}"


async def test_a_connection_is_kept_for_the_next_request(service: Service) -> None:
    async with listening(service) as line:
        for _ in range(5):
            assert await line.send("GET", "/x") == Reply(200, b"ok")
    assert service.connections == 1


async def test_two_requests_at_once_never_share_a_connection(service: Service) -> None:
    service.hold.clear()
    async with listening(service) as line:
        asked = [asyncio.ensure_future(line.send("GET", f"/{n}")) for n in range(3)]
        await until_so(lambda: len(service.heard) == 3, "all three are asked")
        service.hold.set()
        assert await asyncio.gather(*asked) == [Reply(200, b"ok")] * 3
        await line.send("GET", "/again")
    assert service.connections == 3


async def test_who_goes_away_is_silent_and_is_not_asked_again(service: Service) -> None:
    service.replies = [OK, b"", OK]
    async with listening(service) as line:
        await line.send("GET", "/1")
        with pytest.raises(Silent):
            await line.send("POST", "/2", b"{}")
        assert len(service.heard) == 2
        assert await line.send("GET", "/3") == Reply(200, b"ok")
    assert service.connections == 2


async def test_half_an_answer_is_none(service: Service) -> None:
    service.replies = [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", b""]
    async with listening(service) as line:
        asked = asyncio.ensure_future(line.send("GET", "/1"))
        await until_so(lambda: len(service.heard) == 1, "it is asked")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asked
        # The late rest belongs to nobody: the next request has a connection of its own.
        service.replies = [OK]
        assert await line.send("GET", "/2") == Reply(200, b"ok")
    assert service.connections == 2


@pytest.mark.parametrize("said", [b"220 mail.example\r\n", b"HTTP/1.1 abc\r\n\r\n"])
async def test_what_is_not_http_is_silence(service: Service, said: bytes) -> None:
    service.replies = [said]
    async with listening(service) as line:
        with pytest.raises(Silent):
            await line.send("GET", "/1")


async def test_a_connection_that_will_not_be_kept_is_not_used_again(service: Service) -> None:
    service.replies = [b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"]
    async with listening(service) as line:
        await line.send("GET", "/1")
        await line.send("GET", "/2")
    assert service.connections == 2


async def test_an_idle_connection_is_given_up_before_the_other_side_does(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(service) as line:
        await line.send("GET", "/1")
        monkeypatch.setattr(lines, "KEPT_SECONDS", 0.0)
        await line.send("GET", "/2")
    assert service.connections == 2


async def test_nobody_there_is_silence() -> None:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(Silent):
        await Line(f"http://127.0.0.1:{port}", token="t").send("GET", "/")


def test_the_loop_that_services_run_on_keeps_it_too() -> None:
    async def asked_twice() -> int:
        service = Service()
        service.hold.set()
        async with listening(service) as line:
            assert await line.send("GET", "/1") == await line.send("GET", "/2") == Reply(200, b"ok")
        return service.connections

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(asked_twice()) == 1
