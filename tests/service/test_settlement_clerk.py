"""A clerk's command line has a month cut where the wallet is."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from contracts.internal import GivenAnswer, PeriodAsked
from policy.calendar import last_beijing_month

REFUSED = '{"code": "wrong-state", "detail": "not over", "title_zh": "状态不允许"}'


@asynccontextmanager
async def wallet(asked: list[PeriodAsked]) -> AsyncIterator[str]:
    """Refuses every cut, and remembers of which month; its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("post /internal/periods/cut ")
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        asked.append(PeriodAsked.model_validate_json(await reader.readexactly(length)))
        body = GivenAnswer(status=409, body=REFUSED, replayed=False).model_dump_json().encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def cut(*arguments: str) -> tuple[list[PeriodAsked], int | None, str]:
    """What the wallet was asked, the exit code and what the clerk read."""
    asked: list[PeriodAsked] = []
    async with wallet(asked) as address:
        started = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "settlement", "month", "cut", *arguments),
            env={
                **os.environ,
                "WALLET_URL": address,
                "SERVICE_TOKEN": "s" * 16,
                "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            },
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(started.communicate(), 60)
    return asked, started.returncode, said.decode()


async def test_without_a_month_the_one_that_is_over_last_is_cut() -> None:
    before = last_beijing_month(datetime.now(UTC))
    [asked], code, said = await cut()
    assert asked.period in (before, last_beijing_month(datetime.now(UTC)))
    assert asked.instance == f"/v1/periods/{asked.period}/cut"
    assert (code, said) == (1, "wrong-state: not over 状态不允许\n")


async def test_a_month_that_is_named_is_cut() -> None:
    [asked], code, _ = await cut("2026-02")
    assert (asked.period, code) == ("2026-02", 1)


async def test_what_is_no_month_is_refused_before_the_wallet_hears_of_it() -> None:
    asked, code, said = await cut("2026-13")
    assert (asked, code) == ([], 2)
    assert "2026-11" in said
