"""The cells of this installation: a pool and a door each, and which cell a thing lives in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from uuid import UUID

from kit.ids import cell_of_id, cell_of_owner
from kit.perform import Door
from kit.postgres import Pool
from kit.reading import reading
from kit.refusal import Refusal, Unavailable
from kit.transaction import Transaction
from kit.work import Job, Outcome
from policy.policy import Policy
from wallet.domain.commands import (
    CutPeriod,
    RecordFreeze,
    RecordOrderAnswer,
    RecordPremiumAnswer,
)
from wallet.domain.patience import Insistence
from wallet.store.opening import alone, preamble
from wallet.store.reading import owners_of_orders, owners_of_payments
from wallet.usecases import usecases
from wallet.usecases.cut_period import cut_period


class Cells:
    """All cells, each with its own connections; none ever reaches into another."""

    def __init__(
        self, pools: Sequence[Pool], policy: Policy, insistence: Insistence | None = None
    ) -> None:
        self.pools = tuple(pools)
        performing = usecases(policy, insistence or Insistence())
        self.doors = tuple(
            Door(pool, cell, performing, preamble) for cell, pool in enumerate(pools)
        )
        self.cutting_doors = tuple(
            Door(pool, cell, {CutPeriod: cut_period}, alone) for cell, pool in enumerate(pools)
        )

    def of_person(self, person_id: UUID) -> int:
        """Where everything lives that this beneficiary may spend."""
        return cell_of_owner(person_id, len(self.pools))

    def of_thing(self, identifier: UUID) -> int | None:
        """Where the payment, quota or order with this id lives; None if it is not one of ours."""
        cell = cell_of_id(identifier)
        return cell if cell is not None and cell < len(self.pools) else None

    def reading(self, cell: int) -> AbstractAsyncContextManager[Transaction]:
        """A look into a cell without locks. Raises Unavailable."""
        return reading(self.pools[cell], cell)

    async def owners_of_payments(self, payment_ids: Collection[UUID]) -> dict[UUID, UUID | Refusal]:
        """Whose money each payment is, as far as it exists; Unavailable where its cell is."""
        by_cell: dict[int, list[UUID]] = {}
        for payment_id in payment_ids:
            cell = self.of_thing(payment_id)
            if cell is not None:
                by_cell.setdefault(cell, []).append(payment_id)
        owners: dict[UUID, UUID | Refusal] = {}
        for cell, of_cell in by_cell.items():
            try:
                async with self.reading(cell) as tx:
                    owners |= await owners_of_payments(tx, of_cell)
            except Unavailable as away:
                owners |= dict.fromkeys(of_cell, away)
        return owners

    async def perform(self, cell: int, jobs: Sequence[Job]) -> list[Outcome]:
        """Perform what Kafka brought: an answer of a province first finds whose books to lock."""
        order_ids = [order_id for job in jobs if (order_id := _order_of(job)) is not None]
        payment_ids = [found for job in jobs if (found := _payment_of(job)) is not None]
        owners: dict[UUID, UUID] = {}
        if order_ids or payment_ids:
            async with self.reading(cell) as tx:
                owners = await owners_of_orders(tx, order_ids) if order_ids else {}
                owners |= await owners_of_payments(tx, payment_ids) if payment_ids else {}
        return await self.doors[cell].perform([_anchored(job, owners) for job in jobs])


def _order_of(job: Job) -> UUID | None:
    match job.command:
        case RecordFreeze(freeze_id=order_id) | RecordOrderAnswer(order_id=order_id):
            return order_id
        case _:
            return None


def _payment_of(job: Job) -> UUID | None:
    command = job.command
    return command.payment_id if isinstance(command, RecordPremiumAnswer) else None


def _anchored(job: Job, owners: dict[UUID, UUID]) -> Job:
    answered = _order_of(job) or _payment_of(job)
    if answered is None or answered not in owners:
        return job
    return replace(job, anchors=(owners[answered],))
