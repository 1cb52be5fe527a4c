"""`python -m settlement month show | cut | issue | close | adjustments`: a clerk's month."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
import orjson
import typer
from pydantic import Field, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from contracts.clearing import Period
from contracts.internal import GivenAnswer, PeriodAsked
from kit.answers import Answer
from kit.launch import read_settings
from kit.postgres import open_pool, schema_of
from kit.refusal import Unavailable
from kit.run import DatabaseSettings, run
from policy.calendar import last_beijing_month
from policy.policy import Policy
from settlement.edge.kafka import CELL
from settlement.edge.room import Room
from settlement.edge.shown import adjustments_table, month_tables
from settlement.store.lines import adjustments_of
from settlement.store.transfers import transfers_of

HELP = """A month: cut, balanced, issued, confirmed, paid, closed.

月度清算：切账、平账、下发、确认、拨付、关账。

A clerk cuts, issues and closes (经办：切账、下发、关账); the month is balanced, confirmed and paid
by itself (平账、确认、拨付自动完成). Each step may be repeated: what was done stays (可重复执行).
"""

MOST_ADJUSTMENTS = 1000
LOOK_EVERY_SECONDS = 0.5


class ClerkSettings(DatabaseSettings):
    """What a clerk's command needs: the database, and what the regions say."""

    policy_dir: Path | None = None


class CutSettings(ClerkSettings):
    """To have a month cut, also where the wallet is."""

    wallet_url: str = "http://127.0.0.1:8082"
    service_token: str = Field(min_length=16, repr=False)


def _month(text: str) -> str:
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", text):
        raise typer.BadParameter("a month is written 2026-11 月份格式为 2026-11")
    return text


Month = Annotated[
    str, typer.Argument(callback=_month, help="A Beijing month. 北京时间月份。", metavar="2026-11")
]
MonthOrLast = Annotated[
    str,
    typer.Argument(
        callback=_month,
        default_factory=lambda: last_beijing_month(datetime.now(UTC)),
        help="A Beijing month; if none is named, the last. 北京时间月份，默认为上月。",
        metavar="[2026-11]",
        show_default=False,
    ),
]
Wait = Annotated[
    int,
    typer.Option(
        "--wait",
        min=0,
        help="Seconds until it has to be balanced. 等待平账的秒数。",
        show_default=True,
    ),
]


def month_commands() -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help=HELP)

    @app.command("show", help="How far a month is, and what it waits for. 查看月份进度。")
    def show_command(month: Month) -> None:
        run(_with_room(lambda room: _show(room, month)))

    @app.command("cut", help="End a month in all cells of the wallet, and wait for it. 切账。")
    def cut_command(month: MonthOrLast, wait: Wait = 60) -> None:
        settings = read_settings(CutSettings)
        _cut(settings, month)
        run(_with_room(lambda room: _balanced(room, month, wait)))

    @app.command("issue", help="Send each province its statement. 下发清算单。")
    def issue_command(month: Month) -> None:
        run(_with_room(lambda room: _step(room, month, room.issue, "issue")))

    @app.command("close", help="Close a month that is paid. 关账。")
    def close_command(month: Month) -> None:
        run(_with_room(lambda room: _step(room, month, room.close, "close")))

    @app.command("adjustments", help="What a month gives back of earlier ones. 跨月冲销明细。")
    def adjustments_command(month: Month) -> None:
        run(_with_room(lambda room: _adjustments(room, month)))

    return app


@asynccontextmanager
async def _opened() -> AsyncIterator[Room]:
    settings = read_settings(ClerkSettings)
    pool = await open_pool(
        settings.database_url, schema=schema_of(CELL), size=1, application_name="settlement-clerk"
    )
    try:
        yield Room(pool, settings.database_url, Policy.load(settings.policy_dir))
    finally:
        await pool.close()


async def _with_room(act: Callable[[Room], Awaitable[None]]) -> None:
    async with _opened() as room:
        try:
            await act(room)
        except Unavailable as away:
            raise SystemExit(f"{away.title()} {away.title_zh}") from None


async def _show(room: Room, month: str) -> None:
    found = await room.find(month)
    if found is None:
        raise SystemExit(f"{month} was not cut yet 尚未切账")
    async with room.reading() as tx:
        others = await transfers_of(tx, month)
    console = Console(width=140)
    for table in month_tables(found, others):
        console.print(table)


async def _step(
    room: Room, month: str, step: Callable[[str, str], Awaitable[Answer]], name: str
) -> None:
    answer = await step(month, f"/v1/periods/{month}/{name}")
    if answer.status != 200:
        raise SystemExit(_refused(answer.body))
    await _show(room, month)


def _cut(settings: CutSettings, month: str) -> None:
    asked = PeriodAsked(period=month, instance=f"/v1/periods/{month}/cut")
    try:
        # trust_env: a proxy has no business between our own services.
        response = httpx.post(
            f"{settings.wallet_url}/internal/periods/cut",
            content=asked.model_dump_json(),
            headers={"Authorization": f"Bearer {settings.service_token}"},
            timeout=30,
            trust_env=False,
        )
        response.raise_for_status()
        given = GivenAnswer.model_validate_json(response.content)
    except (httpx.HTTPError, ValidationError) as error:
        again = "the wallet did not answer; cut again, it is safe 钱包服务未应答，可重复执行"
        raise SystemExit(f"{again}: {type(error).__name__}") from None
    if given.status != 200:
        raise SystemExit(_refused(given.body))


async def _balanced(room: Room, month: str, within: int) -> None:
    """Look until the month is balanced, `within` seconds at most, and show it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    deadline = asyncio.get_running_loop().time() + within
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        heard = progress.add_task("cells heard 已收单元", total=None)
        found: Period | None = None
        while True:
            found = await room.find(month)
            if found is not None:
                progress.update(heard, total=found.cells, completed=found.cells_heard or 0)
            done = found is not None and found.state != "cut"
            if done or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(LOOK_EVERY_SECONDS)
    await _show(room, month)
    if not done:
        raise SystemExit("the month is not balanced yet 尚未平账")


async def _adjustments(room: Room, month: str) -> None:
    async with room.unhurried() as tx:
        found = await adjustments_of(tx, month, MOST_ADJUSTMENTS + 1)
    Console(width=200).print(adjustments_table(month, found[:MOST_ADJUSTMENTS]))
    if len(found) > MOST_ADJUSTMENTS:
        Console().print(f"the first {MOST_ADJUSTMENTS} 仅列前 {MOST_ADJUSTMENTS} 条")


def _refused(body: str) -> str:
    problem = orjson.loads(body)
    return f"{problem['code']}: {problem['detail']} {problem['title_zh']}"
