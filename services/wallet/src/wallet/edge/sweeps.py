"""What falls due in the wallet: holds nobody captured, orders and premiums nobody answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog
from prometheus_client import Counter, Gauge

from kit.sweep import Sweep
from kit.work import Broken, Job
from wallet.domain.ask_again import PARKED
from wallet.domain.commands import AskAgain, AskPremiumAgain, ExpireHold
from wallet.domain.orders import OrderKind
from wallet.domain.patience import Patience
from wallet.edge.cells import Cells
from wallet.store.asking import count_parked, silent_orders
from wallet.store.reading import due_holds, silent_premiums

log = structlog.get_logger("wallet.sweeps")

EVERY_SECONDS = 5.0
MOST = 200
ASK_EVERY_SECONDS = 1.0
"""An ask is small and a batch of them is all that a second may cost a cell."""

COMMANDS = uuid5(NAMESPACE_URL, "urn:gongji:wallet:expire-hold")
QUESTIONS = uuid5(NAMESPACE_URL, "urn:gongji:wallet:ask-premium-again")
ASKS = uuid5(NAMESPACE_URL, "urn:gongji:wallet:ask-again")

ASKED_AGAIN = Counter("orders_asked_again_total", "Orders told once more, or parked", ["cell"])
WITH_A_CLERK = Gauge("orders_parked", "Orders that wait for a clerk", ["cell", "kind"])


def _emptying(cells: Cells, name: str, some: Callable[[Cells, int], Awaitable[int]]) -> Sweep:
    """A sweep that takes batch after batch in every cell, until one is not full."""

    async def sweep() -> None:
        for cell in range(len(cells.pools)):
            while await some(cells, cell) == MOST:
                pass

    return Sweep(name=name, every_seconds=EVERY_SECONDS, sweep=sweep)


def expiring(cells: Cells) -> Sweep:
    """The sweep that lets overdue holds go, in every cell."""
    return _emptying(cells, "expire_holds", expire_due)


async def expire_due(cells: Cells, cell: int) -> int:
    """Submit a command for each overdue hold of a cell, at most a batch; how many there were.

    Chosen without locks: a hold may have been captured or extended meanwhile. The command's id
    contains the deadline that was seen, so that one that was extended can expire again later.
    """
    async with cells.reading(cell) as tx:
        due = await due_holds(tx, MOST)
    if not due:
        return 0
    outcomes = await cells.doors[cell].perform(
        [
            Job(
                command=ExpireHold(payment_id=payment_id, expires_at=expires_at),
                command_id=uuid5(COMMANDS, f"{payment_id}\n{expires_at.isoformat()}"),
                anchors=(person_id,),
            )
            for payment_id, person_id, expires_at in due
        ]
    )
    broken = sum(isinstance(outcome, Broken) for outcome in outcomes)
    if broken:
        log.error("holds.stuck", cell=cell, holds=broken)
    return len(due) - broken


def asking_again(cells: Cells) -> Sweep:
    """The sweep that asks silent funds again, in every cell."""
    return _emptying(cells, "ask_premiums_again", ask_silent)


async def ask_silent(cells: Cells, cell: int) -> int:
    """Ask about each premium whose time has come, at most a batch; how many were asked about.

    The command's id contains how often its fund was asked, so that each question is an event of
    its own, and two processes ask only once.
    """
    async with cells.reading(cell) as tx:
        silent = await silent_premiums(tx, MOST)
    if not silent:
        return 0
    outcomes = await cells.doors[cell].perform(
        [
            Job(
                command=AskPremiumAgain(payment_id=payment_id, times=times),
                command_id=uuid5(QUESTIONS, f"{payment_id}\n{times}"),
                anchors=(person_id,),
            )
            for payment_id, person_id, times in silent
        ]
    )
    broken = sum(isinstance(outcome, Broken) for outcome in outcomes)
    if broken:
        log.error("premiums.stuck", cell=cell, premiums=broken)
    return len(silent) - broken


def asking_orders_again(cells: Cells, patience: Patience) -> Sweep:
    """The sweep that asks silent provinces again, in every cell; a batch of orders a time."""

    async def sweep() -> None:
        for cell in range(len(cells.pools)):
            await ask_silent_orders(cells, cell, patience)

    return Sweep(name="ask_again", every_seconds=ASK_EVERY_SECONDS, sweep=sweep)


async def ask_silent_orders(cells: Cells, cell: int, patience: Patience) -> int:
    """Submit a command for each order that has waited long enough, at most a batch; how many.

    Chosen without locks: a province may have answered meanwhile. The command's id contains the
    number of the ask, so that two sweeps ask once.
    """
    async with cells.reading(cell) as tx:
        silent = await silent_orders(tx, patience.waits, MOST)
        parked = await count_parked(tx)
    for kind in OrderKind:
        WITH_A_CLERK.labels(cell, kind).set(parked.get(kind, 0))
    if not silent:
        return 0
    outcomes = await cells.doors[cell].perform(
        [
            Job(
                command=AskAgain(order_id=order_id, asks=asks, most=patience.most_asks),
                command_id=ask_id(order_id, asks),
                anchors=(beneficiary_id,),
            )
            for order_id, beneficiary_id, asks in silent
        ]
    )
    ASKED_AGAIN.labels(cell).inc(len(silent))
    for (order_id, _, asks), outcome in zip(silent, outcomes, strict=True):
        if outcome == PARKED:
            log.error("order.parked", cell=cell, order_id=str(order_id), asks=asks)
        elif isinstance(outcome, Broken):
            log.error("order.stuck", cell=cell, order_id=str(order_id), asks=asks)
    return len(silent)


def ask_id(order_id: UUID, asks: int) -> UUID:
    """The id of the command that asks once more after `asks` asks."""
    return uuid5(ASKS, f"{order_id}\n{asks}")
