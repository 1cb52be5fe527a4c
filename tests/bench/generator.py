"""The callers: a process of its own that writes requests beforehand and sends them raw.

closed   N callers, each sends its next request when it has its answer: the plateau
open     requests leave at fixed times, whatever became of those before; latency counts from the
         intended start, so that a stall is paid for by all who would have come meanwhile
"""

from __future__ import annotations

import multiprocessing
import os
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from tests.bench.letters import Letter, Script

PATIENCE_SECONDS = 20.0
"""How long answers are waited for after the last request has left."""

LATE = 2
"""An open loop sends no more once it is that many times its own length old: it is saturated."""

WRITTEN_WITHIN_SECONDS = 200.0
READ_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to send: at most `count` requests. `rate` a second makes it an open loop."""

    host: str
    port: int
    script: Script
    count: int
    callers: int
    seconds: float
    rate: int | None = None


@dataclass(slots=True, kw_only=True)
class Shots:
    """What came of it. One entry an answer; a request without one has status 0."""

    latencies: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    """When the answer was there, by the machine's monotonic clock, which all processes share."""

    replayed: list[bool] = field(default_factory=list)
    says_when: list[bool] = field(default_factory=list)
    """Whether the answer says when to ask again."""

    took_seconds: float = 0.0
    cpu_seconds: float = 0.0
    ran_out: bool = False
    unsent: int = 0

    def note(self, since: float, status: int, key: str, head: bytes, body: bytes) -> None:
        ended = time.perf_counter()
        self.ended.append(ended)
        self.latencies.append(ended - since)
        self.statuses.append(status)
        self.keys.append(key)
        self.bodies.append(body)
        self.replayed.append(b"idempotency-replayed" in head)
        self.says_when.append(b"retry-after" in head)


class Line:
    """One caller's connection."""

    __slots__ = ("buffer", "key", "needed", "since", "socket")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.key = ""
        self.since = 0.0
        self.needed = 0

    def send(self, letter: Letter, since: float) -> None:
        self.key, self.since = letter.key, since
        sent = self.socket.send(letter.wire)
        assert sent == len(letter.wire), "a request is smaller than a socket's buffer"

    def receive(self) -> tuple[int, bytes, bytes] | None:
        """Status, head and body once all of an answer is there."""
        got = self.socket.recv(READ_AT_ONCE)
        if not got:
            raise ConnectionError("the server hung up")
        self.buffer = self.buffer + got if self.buffer else got
        if not self.needed:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            self.needed = end + 4 + length_of(self.buffer[:end])
        if len(self.buffer) < self.needed:
            return None
        head, _, body = self.buffer.partition(b"\r\n\r\n")
        self.buffer, self.needed = b"", 0
        return int(head[9:12]), head, body


def length_of(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0])


class Volley:
    """One run of an order."""

    def __init__(self, order: Order, letters: Sequence[Letter]) -> None:
        self.order, self.letters = order, letters
        self.shots = Shots()
        self.lines: dict[int, Line] = {}
        self.poll = select.epoll()
        for _ in range(order.callers):
            line = Line((order.host, order.port))
            self.lines[line.socket.fileno()] = line
            self.poll.register(line.socket.fileno(), select.EPOLLIN)
        self.next = 0

    def run(self) -> Shots:
        cpu, begun = time.process_time(), time.perf_counter()
        if self.order.rate is None:
            self._closed(begun + self.order.seconds)
        else:
            self._open(begun, self.order.rate)
        self.shots.took_seconds = time.perf_counter() - begun
        self.shots.cpu_seconds = time.process_time() - cpu
        for line in self.lines.values():
            line.socket.close()
        self.poll.close()
        return self.shots

    def _closed(self, end: float) -> None:
        busy = 0
        for line in self.lines.values():
            busy += self._send_next(line)
        while busy:
            for line, answer in self._answers(PATIENCE_SECONDS):
                following = self.order.script.follow(line.key, answer)
                now = time.perf_counter()
                if following is not None:
                    line.send(following, now)
                elif now >= end or not self._send_next(line):
                    busy -= 1

    def _send_next(self, line: Line) -> bool:
        if self.next >= len(self.letters):
            self.shots.ran_out = True
            return False
        line.send(self.letters[self.next], time.perf_counter())
        self.next += 1
        return True

    def _open(self, begun: float, rate: int) -> None:
        free, flying = deque(self.lines.values()), 0
        give_up = begun + LATE * self.order.seconds
        while self.next < len(self.letters) or flying:
            now = time.perf_counter()
            if now > give_up and self.next < len(self.letters):
                self.shots.unsent = len(self.letters) - self.next
                self.next = len(self.letters)
            while free and self.next < len(self.letters):
                intended = begun + self.next / rate
                if intended > now:
                    break
                free.popleft().send(self.letters[self.next], intended)
                self.next += 1
                flying += 1
            wait = PATIENCE_SECONDS
            if free and self.next < len(self.letters):
                wait = max(0.0, begun + self.next / rate - time.perf_counter())
            for line, _ in self._answers(wait, must=not free or self.next >= len(self.letters)):
                free.append(line)
                flying -= 1

    def _answers(self, wait: float, *, must: bool = True) -> list[tuple[Line, bytes]]:
        ready = self.poll.poll(wait)
        if not ready and must:
            raise TimeoutError(f"no answer for {wait} s")
        found = []
        for descriptor, _ in ready:
            line = self.lines[descriptor]
            answer = line.receive()
            if answer is not None:
                status, head, body = answer
                self.shots.note(line.since, status, line.key, head, body)
                found.append((line, body))
        return found


class Generator:
    """The process of the callers, as the benchmark sees it: write, then fire."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), name="generator", daemon=True)
        self._process.start()
        theirs.close()

    def write(self, order: Order) -> None:
        """Have the requests of an order written; returns when they are ready to go."""
        self._ours.send(order)
        self._expect(WRITTEN_WITHIN_SECONDS)

    def fire(self, order: Order) -> Shots:
        self._ours.send("fire")
        shots = self._expect(3 * order.seconds + 4 * PATIENCE_SECONDS)
        assert isinstance(shots, Shots)
        return shots

    def _expect(self, within_seconds: float) -> Any:
        if not self._ours.poll(within_seconds):
            raise TimeoutError(f"the generator did not answer for {within_seconds:.0f} s")
        said = self._ours.recv()
        if isinstance(said, Exception):
            raise said
        return said

    def close(self) -> None:
        self._process.kill()
        self._process.join()


def serve(orders: Connection) -> None:
    """The generator's own process: orders come in, shots go out, until the pipe closes."""
    parent = os.getppid()
    while os.getppid() == parent:
        try:
            order = orders.recv()
        except EOFError:
            return
        try:
            # Signed with the time in the middle of the run: a signature is believed for 300 s.
            created = datetime.now(UTC) + timedelta(seconds=order.seconds / 2)
            volley = Volley(order, order.script.write(order.count, created))
            orders.send("ready")
            assert orders.recv() == "fire"
            orders.send(volley.run())
        except Exception as error:  # Whatever it was, the benchmark has to hear of it.
            orders.send(error)
