"""Natural batches: what arrives while one batch is in flight forms the next.

There is no timer. A lone item is run at once; under load batches grow by themselves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from kit.refusal import Busy, Unavailable

Q = TypeVar("Q")
A = TypeVar("A")


class Batcher(Generic[Q, A]):
    """Collects items while a batch is in flight; one batch at a time, in order of arrival.

    `run` answers a batch item by item. At most `most` items form a batch and at most `queue`
    wait; one more is refused as `busy` at once.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        most: int = 200,
        queue: int = 4096,
    ) -> None:
        assert most >= 1
        assert queue >= most
        self._run = run
        self._most = most
        self._queue = queue
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, item: Q) -> A:
        """Answer one item with its batch. Raises Busy when full, Unavailable once closed."""
        return await self._enqueue([item])[0]

    async def submit_all(self, items: Sequence[Q]) -> list[A]:
        """Answer several items, kept in their order; they may share a batch with others."""
        futures = self._enqueue(items)
        if futures:
            await asyncio.wait(futures)
        return [future.result() for future in futures]

    def _enqueue(self, items: Sequence[Q]) -> list[asyncio.Future[A]]:
        if self._closed:
            raise Unavailable("draining")
        if len(self._waiting) + len(items) > self._queue:
            raise Busy
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[A]] = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures, strict=True))
        if self._worker is None:
            self._worker = loop.create_task(self._work())
        return futures

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._run_next()
        finally:
            self._worker = None

    async def _run_next(self) -> None:
        batch: list[tuple[Q, asyncio.Future[A]]] = []
        while self._waiting and len(batch) < self._most:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        if not batch:
            return
        try:
            answers = await self._run([item for item, _ in batch])
            assert len(answers) == len(batch), "a batch is answered item by item"
        except BaseException as error:
            # Whatever it was, no caller may be left waiting for ever.
            for _, future in batch:
                if not future.done():
                    future.set_exception(_lasting(error))
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), given in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(given)

    async def close(self) -> None:
        """Take no more items and wait for those that wait."""
        self._closed = True
        if self._worker is not None:
            await asyncio.wait([self._worker])


def _lasting(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else Unavailable("the batch was cancelled")
