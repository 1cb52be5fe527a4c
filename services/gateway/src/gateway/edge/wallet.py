"""The wallet, as the gateway asks it: a queue for each of its cells, and reads that never lag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from contracts.commands import Quote
from contracts.internal import Call, FindPayments, GivenAnswer, History, PeriodAsked, WalletQuotas
from contracts.public import OpenedWallet
from gateway.edge.neighbours import Neighbour, answer_of, batched, read, text_of
from kit.answers import Answer
from kit.ids import cell_of_id, cell_of_owner
from kit.refusal import NotFound


class Wallet:
    """`cells` is fixed at installation and the same here and there."""

    def __init__(self, neighbour: Neighbour, *, cells: int, most: int, queue: int) -> None:
        self._neighbour = neighbour
        self._queues = [batched(neighbour, most=most, queue=queue) for _ in range(cells)]

    async def perform(self, owner: UUID, call: Call[Any]) -> Answer:
        """Perform a command on the books of `owner`. Raises Busy and Unavailable."""
        return await self.perform_text(owner, text_of(call))

    async def perform_text(self, owner: UUID, call: bytes) -> Answer:
        """The same for a `Call` that was written out already."""
        return await self._queues[cell_of_owner(owner, len(self._queues))].submit(call)

    async def perform_on(self, thing: UUID, call: Call[Any]) -> Answer:
        """Perform a command on a payment, whose cell is in its id. Raises NotFound as well."""
        cell = cell_of_id(thing)
        if cell is None or cell >= len(self._queues):
            raise NotFound
        return await self._queues[cell].submit(text_of(call))

    async def summary(self, person_id: UUID) -> OpenedWallet:
        """A person's wallet; a person it does not know has none open."""
        text = await self._neighbour.get(f"/internal/wallets/{person_id}")
        found = read(OpenedWallet, text)
        if found is not None:
            return found
        return OpenedWallet(
            person_id=person_id, open=False, given_fen=0, received_fen=0, available_fen=0
        )

    async def quotas(self, person_id: UUID) -> WalletQuotas:
        """What a person gives and receives, newest first."""
        text = await self._neighbour.get("/internal/quotas", {"person_id": str(person_id)})
        found = read(WalletQuotas, text)
        assert found is not None, "a person without quotas has an empty list"
        return found

    async def payment(self, payment_id: UUID, institution: str) -> str | None:
        """The text of a payment of this institution; another's is as good as none."""
        text = await self._neighbour.get(f"/internal/payments/{payment_id}")
        if text is None or orjson.loads(text)["institution"] != institution:
            return None
        return text

    async def request(self, caller: str, person_id: UUID, key: str) -> str | None:
        """The text of what the wallet knows of a key; None where it knows nothing."""
        query = {"caller": caller, "person_id": str(person_id), "key": key}
        return await self._neighbour.get("/internal/requests", query)

    async def history(self, name: str, *, caller: str | None) -> History:
        """What became of payments, quotas and requests. Raises Busy and Unavailable."""
        return await self._neighbour.history(name, caller=caller)

    async def payments(self, payment_ids: Sequence[UUID]) -> list[dict[str, Any]]:
        """These payments as they are now, in this order, as far as they exist."""
        if not payment_ids:
            return []
        asked = FindPayments(payment_ids=tuple(payment_ids))
        text = await self._neighbour.ask("/internal/payments/find", asked)
        assert text is not None, "of payments that are not there, none is found"
        found: list[dict[str, Any]] = orjson.loads(text)["payments"]
        return found

    async def quote(self, wanted: Quote) -> Answer:
        """What a payment would be now, or the refusal it would get."""
        given = read(GivenAnswer, await self._neighbour.ask("/internal/quotes", wanted))
        assert given is not None, "a quote is given or refused by name"
        return Answer(
            status=given.status, body=given.body, retry_after=given.retry_after, kept=False
        )

    async def cut_period(self, asked: PeriodAsked) -> Answer:
        """Cut a month in every cell; safe to repeat. Raises Busy and Unavailable."""
        given = await self._neighbour.ask("/internal/periods/cut", asked)
        return answer_of(given, asked.instance)

    async def period(self, asked: PeriodAsked) -> Answer:
        """A month that is open or was cut here."""
        given = await self._neighbour.ask("/internal/periods/find", asked)
        return answer_of(given, asked.instance)

    async def close(self) -> None:
        for queue in self._queues:
            await queue.close()
        self._neighbour.close()
