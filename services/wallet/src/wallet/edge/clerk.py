"""`python -m wallet orders list | repeat | give-up`: what a clerk does about silent provinces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import typer
from rich.console import Console
from rich.table import Table

from kit.answers import Answer
from kit.launch import read_settings
from kit.postgres import open_pool, schema_of
from kit.run import DatabaseSettings, Service, run
from kit.work import Job
from policy.policy import Policy
from wallet.domain.commands import GiveUpFreeze, RepeatOrder
from wallet.edge.cells import Cells
from wallet.edge.sweeps import ask_id
from wallet.store.asking import asks_of, parked_orders

HELP = """Orders that a province was told of again and again, and has not answered.

屡次催办而省级平台仍未应答、待经办处理的指令。

A freeze (冻结) may be repeated, or given up: it then counts as refused, and should the province
have frozen it after all, that goes back. An unfreeze (解冻), a debit (扣款) or a credit (退款) can
only be repeated (只可重发): the books have moved, and the account has to follow.
"""


class ClerkSettings(DatabaseSettings):
    """What a clerk's command needs: the database, and what the regions say."""

    policy_dir: Path | None = None


def orders_commands(service: Service[Any]) -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help=HELP)

    @app.command("list", help="What waits for a clerk, longest first. 列出待处理的指令。")
    def list_command() -> None:
        run(_list(service))

    @app.command("repeat")
    def repeat_command(order_id: UUID) -> None:
        """Tell one of them once more; safe for every kind. 重发一次（各类指令均可）。

        The province carries an order out once, however often it is told, and repeats its answer.
        Should it stay silent, the order is parked again after the longest wait.
        """
        run(_submit(service, order_id, lambda: RepeatOrder(order_id=order_id)))

    @app.command("give-up")
    def give_up_command(order_id: UUID) -> None:
        """Treat a freeze as refused; only a freeze. 放弃等待（仅限冻结），视为拒绝。

        The sharer sees the refusal `silent` and may ask anew. Should the province still confirm,
        what it froze is granted and returned in one step, and it is told to unfreeze it.
        """
        run(_submit(service, order_id, lambda: GiveUpFreeze(order_id=order_id)))

    return app


@asynccontextmanager
async def _opened(service: Service[Any]) -> AsyncIterator[Cells]:
    settings = read_settings(ClerkSettings)
    async with AsyncExitStack() as stack:
        pools = []
        for cell in range(service.cells(settings.cells)):
            pool = await open_pool(
                settings.database_url,
                schema=schema_of(cell),
                size=1,
                application_name="wallet-clerk",
            )
            stack.push_async_callback(pool.close)
            pools.append(pool)
        yield Cells(pools, Policy.load(settings.policy_dir))


async def _list(service: Service[Any]) -> None:
    table = Table("order", "kind", "pool", "psn_no", "fen", "asks", "sent", "parked", "because")
    async with _opened(service) as cells:
        for cell in range(len(cells.pools)):
            async with cells.reading(cell) as tx:
                for order in await parked_orders(tx):
                    table.add_row(
                        str(order.order_id),
                        order.kind,
                        order.sharer_admdvs,
                        order.sharer_psn_no,
                        str(order.amount),
                        str(order.asks),
                        order.sent_at.isoformat(timespec="seconds"),
                        order.parked_at.isoformat(timespec="seconds"),
                        order.parked_because,
                    )
    Console(width=200).print(table)


async def _submit(
    service: Service[Any], order_id: UUID, command: Callable[[], RepeatOrder | GiveUpFreeze]
) -> None:
    async with _opened(service) as cells:
        cell = cells.of_thing(order_id)
        if cell is None:
            raise SystemExit("no order has this id 无此指令")
        async with cells.reading(cell) as tx:
            found = await asks_of(tx, order_id)
        if found is None:
            raise SystemExit("no order has this id 无此指令")
        beneficiary_id, asks = found
        asked = command()
        job = Job(
            command=asked,
            command_id=uuid5(ask_id(order_id, asks), type(asked).__name__),
            anchors=(beneficiary_id,),
        )
        [outcome] = await cells.doors[cell].perform([job])
    if not isinstance(outcome, Answer) or outcome.status != 200:
        raise SystemExit(outcome.body if isinstance(outcome, Answer) else str(outcome))
    Console().print("done 已处理")
