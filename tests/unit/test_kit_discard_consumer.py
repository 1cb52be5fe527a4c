"""A consumer is stopped for good, whatever its client makes of an absent broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.kafka import discard_consumer


class Connections:
    def __init__(self) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True


class Client:
    """As aiokafka's consumer behaves with fetches on their way to a broker that is gone."""

    def __init__(self, *, lets_out: BaseException | None = None, seconds: float = 0) -> None:
        self._client = Connections()
        self._lets_out = lets_out
        self._seconds = seconds

    async def stop(self) -> None:
        await asyncio.sleep(self._seconds)
        if self._lets_out is not None:
            raise self._lets_out
        await self._client.close()


async def test_a_cancellation_that_is_not_ours_ends_nobody() -> None:
    client: Any = Client(lets_out=asyncio.CancelledError())
    await discard_consumer(client)
    assert client._client.closed


async def test_a_cancellation_of_ours_does() -> None:
    client: Any = Client(seconds=60)
    stopping = asyncio.create_task(discard_consumer(client))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert client._client.closed
